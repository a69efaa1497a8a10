import { once } from 'node:events'
import { createServer } from 'node:net'
import { createSecureContext } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { createSmtpConnector } from '../../server/src/connectors/smtp.connector.ts'
import { outgoingAttachment, outgoingMessage } from '../../server/test/connectors/outgoing-message.ts'
import { SELF_SIGNED } from '../../server/test/connectors/self-signed.ts'
import { randomOf } from '../chaos/random.ts'
import { serveSession } from '../chaos/smtp/faulty-session.ts'
import { type Mail, MailInflow } from '../chaos/smtp/mail-inflow.ts'
import { planStrikes } from '../chaos/smtp/plan.ts'
import { endsCheck } from '../chaos/smtp/verdict.ts'
import * as tables from '../chaos/smtp/ways.ts'
import { WRONG_CERTIFICATE } from '../chaos/smtp/wrong-certificate.ts'

const WAYS = [
  tables.DROPPED_BEFORE,
  tables.DROPPED_AFTER,
  tables.PASSING_REPLIES,
  tables.FINAL_REPLIES,
  tables.STALLS,
  tables.SLOW_BYTES,
  tables.RESETS,
  tables.TLS_FAILURES,
].flatMap(({ ways, tls }) =>
  ways.map((way) => ({ name: `${way.stage} ${JSON.stringify(way.act)}`, way, tls: tls === true })),
)

/** Long enough for a byte a second, where the whole attempt is what ends it. */
const TIMEOUTS = { connect: 4000, greeting: 1000, answer: 2000, attempt: 3500 }

/** Of a large message the kernel holds megabytes, so that it goes on in steps, some seconds apart. */
function timeoutsOfLarge({ act }: tables.Way): typeof TIMEOUTS {
  return act === 'drip' ? { ...TIMEOUTS, answer: 20_000 } : { ...TIMEOUTS, attempt: 20_000 }
}

describe('a desk that fails by plan', () => {
  test.concurrent.each(WAYS)(
    '$name: the attempt ends as the plan says, and the next one is taken',
    async ({ way, tls }) => {
      const turns = [{ opening: way, reused: way, large: way }]
      const struck: tables.Way[] = []
      const mails: Mail[] = []
      const right = createSecureContext(SELF_SIGNED)
      const server = createServer((socket) =>
        serveSession(socket, {
          tls: tls ? { right, wrong: createSecureContext(WRONG_CERTIFICATE) } : null,
          oneMessage: false,
          next: () => turns.shift(),
          giveBack: () => {},
          struck: (one) => void struck.push(one),
          took: (mail) => void mails.push(mail),
        }),
      )
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const address = server.address()
      if (address === null || typeof address === 'string') throw new Error('no port')
      const options = tls ? '?requireTLS=true' : ''
      const connector = createSmtpConnector(
        {
          connector: 'smtp',
          url: `smtp://127.0.0.1:${address.port}${options}`,
          from: { name: '', address: 'support@acme.example' },
          to: { name: '', address: 'helpdesk@acme.example' },
          conversation: 'direct',
          agents: [],
        },
        way.stage === 'body' ? timeoutsOfLarge(way) : TIMEOUTS,
      )
      const large = way.stage === 'body' ? [outgoingAttachment(Buffer.alloc(10 * 1024 * 1024))] : []
      const message = outgoingMessage({ attachments: large })
      const never = new AbortController().signal
      try {
        const { outcome, code } = await connector.send(message, never)
        const unseen = tables.isUnseen(way)
        const safer = unseen && outcome === 'uncertain' ? way.end.replace('retry', 'uncertain') : way.end
        expect(`${outcome} ${code}`).toBe(safer)
        expect(struck).toEqual([way])
        // What the desk has not read yet it may read when the attempt is over.
        const taken = unseen ? mails.length : outcome === 'uncertain' ? 1 : 0
        expect(mails).toHaveLength(taken)
        // Nobody here trusts the right certificate either.
        if (tls) return
        expect((await connector.send(message, never)).outcome).toBe('delivered')
        expect(mails.length - taken).toBeOneOf(unseen ? [1, 2] : [1])
        expect(new Set(mails.map(({ digest }) => digest)).size).toBe(1)
      } finally {
        await connector.close()
        server.close()
      }
    },
  )
})

test('the same seed makes the same strikes, as many as told, with an attempt left for each', () => {
  for (let seed = 0; seed < 20; seed++) {
    const make = () => planStrikes(randomOf(`${seed}`), tables.RESETS, 23, 5)
    const plan = make()
    expect(make()).toEqual(plan)
    expect(plan).toHaveLength(5)
    expect(plan.flat().filter((turn) => turn !== null)).toHaveLength(23)
    for (const turns of plan) {
      expect(turns.at(-1)).not.toBeNull()
      expect(turns.filter((turn) => turn === null).length).toBeLessThan(5)
    }
  }
})

test('a message is the same however the network divides it, and what follows it is not lost', () => {
  const bytes = Buffer.from(
    'Message-ID: <msg_1@acme.example>\r\nX-Bellhop-Ticket: tkt_1\r\n\r\nHi.\r\n..\r\n.\r\nQUIT\r\n',
  )
  const mails = new Set<string>()
  for (let at = 1; at < bytes.length; at++) {
    const inflow = new MailInflow()
    const pieces = [bytes.subarray(0, at), bytes.subarray(at)]
    const first = inflow.push(pieces[0] ?? Buffer.alloc(0))
    const rest =
      first === null ? inflow.push(pieces[1] ?? Buffer.alloc(0)) : Buffer.concat([first, pieces[1] ?? first])
    expect(rest?.toString()).toBe('QUIT\r\n')
    mails.add(JSON.stringify(inflow.mail()))
  }
  expect(mails.size).toBe(1)
  expect([...mails][0]).toContain('"ticketId":"tkt_1","messageId":"<msg_1@acme.example>"')
})

test('an attempt that ended otherwise than the design says breaks the row, and so does one too many or too few', () => {
  const strikes = {
    struck: 3,
    replaced: 1,
    unseen: 0,
    ends: [['retry smtp_450', 2]] satisfies [string, number][],
  }
  const held = (...ends: [string, number][]) => endsCheck(new Map(ends), strikes).ok
  expect(held(['retry smtp_450', 2])).toBe(true)
  expect(held(['permanent smtp_450', 2])).toBe(false)
  expect(held(['retry smtp_450', 1])).toBe(false)
  expect(held(['retry smtp_450', 2], ['uncertain lease_expired', 1])).toBe(false)
  expect(held()).toBe(false)
})

test('of a message that was read slowly `uncertain` is as right as `retry`, and of no other, and never the reverse', () => {
  const expected: [string, number][] = [
    ['retry attempt_timeout', 10],
    ['uncertain attempt_timeout', 3],
  ]
  const judge = (retry: number, uncertain: number, unseen: number) => {
    const ends = new Map([
      ['retry attempt_timeout', retry],
      ['uncertain attempt_timeout', uncertain],
    ])
    return endsCheck(ends, { struck: 13, replaced: 0, unseen, ends: expected })
  }
  expect(judge(8, 5, 2)).toMatchObject({ ok: true, seen: expect.stringContaining('2 uncertain where retry') })
  expect(judge(10, 3, 2).seen).not.toContain('where retry')
  expect(judge(8, 5, 1).ok).toBe(false)
  expect(judge(11, 2, 2).ok).toBe(false)
  expect(judge(8, 4, 2).ok).toBe(false)
  const isUnseen = WAYS.filter(({ way }) => tables.isUnseen(way)).map(({ name }) => name)
  expect(isUnseen).toEqual(['body "stall"', 'body "drip"'])
})
