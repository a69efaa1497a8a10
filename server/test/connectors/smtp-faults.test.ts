import { afterEach, describe, expect, test } from 'vitest'
import type { SmtpDesk } from '../../src/config.ts'
import type { Connector, Outcome } from '../../src/connectors/connector.ts'
import { createSmtpConnector } from '../../src/connectors/smtp.connector.ts'
import {
  type FaultSmtpServer,
  type SmtpFaultKind,
  type SmtpStage,
  startFaultSmtpServer,
} from './fault-smtp-server.ts'
import { NEVER, outgoingAttachment, outgoingMessage } from './outgoing-message.ts'

const SHORT = { connect: 400, greeting: 300, answer: 400, attempt: 800 }

const opened: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

async function start(): Promise<FaultSmtpServer> {
  const server = await startFaultSmtpServer()
  opened.push(() => server.close())
  return server
}

function create(port: number, credentials = '', scheme = 'smtp'): Connector {
  const desk: SmtpDesk = {
    connector: 'smtp',
    url: `${scheme}://${credentials}127.0.0.1:${port}`,
    from: { name: '', address: 'support@acme.example' },
    to: { name: '', address: 'helpdesk@acme.example' },
    conversation: 'direct',
    agents: [],
  }
  return createSmtpConnector(desk, SHORT)
}

function connect(port: number, scheme = 'smtp'): Connector {
  const connector = create(port, '', scheme)
  opened.push(() => connector.close())
  return connector
}

type Row = [
  stage: SmtpStage,
  fault: SmtpFaultKind,
  outcome: Outcome,
  code: string,
  alarm: boolean,
  arrived: number,
]

const rows: Row[] = [
  ['banner', { reply: '421 busy', thenDrop: true }, 'retry', 'smtp_421', false, 0],
  ['banner', { reply: '554 no service here' }, 'retry', 'smtp_554', true, 0],
  ['banner', { reply: 'HTTP/1.1 400 Bad Request' }, 'retry', 'protocol_error', true, 0],
  ['banner', 'drop', 'retry', 'connection_lost', false, 0],
  ['banner', 'reset', 'retry', 'connection_lost', false, 0],
  ['banner', 'stall', 'retry', 'greeting_timeout', false, 0],
  ['banner', 'drip', 'retry', 'greeting_timeout', false, 0],
  ['ehlo', { reply: '421 closing' }, 'retry', 'smtp_421', false, 0],
  ['ehlo', { reply: '550 not you' }, 'retry', 'smtp_550', true, 0],
  ['ehlo', 'drop', 'retry', 'connection_lost', false, 0],
  ['ehlo', 'reset', 'retry', 'connection_lost', false, 0],
  ['ehlo', 'stall', 'retry', 'answer_timeout', false, 0],
  ['ehlo', 'drip', 'retry', 'attempt_timeout', false, 0],
  ['starttls', { reply: '454 not now' }, 'retry', 'tls_failed', true, 0],
  ['starttls', { reply: '220 go ahead', thenDrop: true }, 'retry', 'connection_lost', false, 0],
  ['starttls', 'stall', 'retry', 'answer_timeout', false, 0],
  ['starttls', 'noise', 'retry', 'tls_failed', true, 0],
  ['auth', { reply: '535 wrong' }, 'retry', 'authentication_failed', true, 0],
  ['auth', { reply: '454 later' }, 'retry', 'smtp_454', false, 0],
  ['auth', 'drop', 'retry', 'connection_lost', false, 0],
  ['auth', 'stall', 'retry', 'answer_timeout', false, 0],
  ['mail', { reply: '451 later' }, 'retry', 'smtp_451', false, 0],
  ['mail', { reply: '550 sender unknown' }, 'retry', 'smtp_550', true, 0],
  ['mail', { reply: '530 authenticate first' }, 'retry', 'authentication_failed', true, 0],
  ['mail', { reply: '552 too big' }, 'permanent', 'smtp_552', false, 0],
  ['mail', 'drop', 'retry', 'connection_lost', false, 0],
  ['mail', 'reset', 'retry', 'connection_lost', false, 0],
  ['mail', 'stall', 'retry', 'answer_timeout', false, 0],
  ['mail', 'drip', 'retry', 'attempt_timeout', false, 0],
  ['rcpt', { reply: '450 greylisted' }, 'retry', 'smtp_450', false, 0],
  ['rcpt', { reply: '550 5.1.1 no such mailbox' }, 'permanent', 'smtp_550', false, 0],
  ['rcpt', { reply: '550 no such mailbox', thenDrop: true }, 'permanent', 'smtp_550', false, 0],
  ['rcpt', { reply: '554 5.7.1 Relay access denied' }, 'permanent', 'smtp_554', true, 0],
  ['rcpt', { reply: '454 4.7.1 Relay access denied' }, 'retry', 'smtp_454', true, 0],
  ['rcpt', { reply: '550 5.7.1 <bob@relay.example>: Not here' }, 'permanent', 'smtp_550', false, 0],
  ['rcpt', { reply: '530 authenticate first' }, 'retry', 'authentication_failed', true, 0],
  ['rcpt', 'drop', 'retry', 'connection_lost', false, 0],
  ['rcpt', 'reset', 'retry', 'connection_lost', false, 0],
  ['rcpt', 'stall', 'retry', 'answer_timeout', false, 0],
  ['data', { reply: '451 disk full' }, 'retry', 'smtp_451', false, 0],
  ['data', { reply: '554 not this' }, 'permanent', 'smtp_554', false, 0],
  ['data', 'drop', 'retry', 'connection_lost', false, 0],
  ['data', 'reset', 'retry', 'connection_lost', false, 0],
  ['data', 'stall', 'retry', 'answer_timeout', false, 0],
  ['data', 'drip', 'retry', 'attempt_timeout', false, 0],
  ['body', 'reset', 'retry', 'connection_lost', false, 0],
  ['body', { reply: '552 too big' }, 'permanent', 'smtp_552', false, 0],
  ['body', { reply: '250 thanks' }, 'retry', 'protocol_error', false, 0],
  ['dot', { reply: '250 queued' }, 'delivered', 'smtp_250', false, 1],
  ['dot', { reply: '250 queued', thenDrop: true }, 'delivered', 'smtp_250', false, 1],
  ['dot', { reply: '452 disk full' }, 'retry', 'smtp_452', false, 1],
  ['dot', { reply: '421 closing', thenDrop: true }, 'retry', 'smtp_421', false, 1],
  ['dot', { reply: '552 too big' }, 'permanent', 'smtp_552', false, 1],
  ['dot', { reply: '554 spam' }, 'permanent', 'smtp_554', false, 1],
  ['dot', { reply: 'what?' }, 'uncertain', 'protocol_error', false, 1],
  ['dot', { reply: '55012345 what?' }, 'uncertain', 'protocol_error', false, 1],
  ['dot', { reply: '354 more?' }, 'uncertain', 'smtp_354', false, 1],
  ['dot', 'drop', 'uncertain', 'connection_lost_after_data', false, 1],
  ['dot', 'reset', 'uncertain', 'connection_lost_after_data', false, 1],
  ['dot', 'stall', 'uncertain', 'answer_timeout', false, 1],
  ['dot', 'drip', 'uncertain', 'attempt_timeout', false, 1],
]

/** PIPELINING changes how an envelope is sent, and nothing before it. */
const ENVELOPE = new Set(['mail', 'rcpt', 'data', 'body', 'dot'])

describe.each([
  ['one command at a time', [], rows],
  ['with PIPELINING', ['PIPELINING', '8BITMIME'], rows.filter(([stage]) => ENVELOPE.has(stage))],
])('a mail server that does one thing wrong, %s', (_, extensions, cases) => {
  test.concurrent.each(cases)('%s: %j is %s (%s)', async (stage, fault, outcome, code, alarm, arrived) => {
    const server = await startFaultSmtpServer()
    server.extensions = [...extensions]
    if (stage === 'starttls') server.extensions.push('STARTTLS')
    if (stage === 'auth') server.extensions.push('AUTH PLAIN')
    server.faults.set(stage, fault)
    const content = Buffer.alloc(stage === 'body' ? 9 * 1024 * 1024 : 10)
    const message = outgoingMessage({ attachments: [outgoingAttachment(content)] })
    const begun = performance.now()
    const connector = create(server.port, stage === 'auth' ? 'desk:secret@' : '')
    try {
      const result = await connector.send(message, NEVER)
      expect(performance.now() - begun).toBeLessThan(5000)
      expect(result).toMatchObject({ outcome, code, alarm })
      expect(server.messages).toHaveLength(arrived)
      expect(server.connections).toBe(1)
    } finally {
      await connector.close()
      await server.close()
    }
  })
})

test('nothing listens: the attempt is repeated later', async () => {
  const server = await startFaultSmtpServer()
  await server.close()
  expect(await connect(server.port).send(outgoingMessage(), NEVER)).toMatchObject({
    outcome: 'retry',
    code: 'connection_refused',
    alarm: false,
  })
  expect((await connect(server.port).verify(NEVER)).detail).toContain('connection_refused')
})

test('a server that takes the connection and never finishes TLS is given up in time', async () => {
  const server = await start()
  server.faults.set('banner', 'stall')
  const result = await connect(server.port, 'smtps').send(outgoingMessage(), NEVER)
  expect(result).toMatchObject({ outcome: 'retry', code: 'connection_timeout', alarm: false })
})

test('what the server said is kept, bounded and without control characters', async () => {
  const server = await start()
  server.faults.set('rcpt', { reply: `550-no \u0007 such\r\n550 ${'x'.repeat(5000)}` })
  const { answer } = await connect(server.port).send(outgoingMessage(), NEVER)
  expect(answer).toContain('550-no \ufffd such 550 xxx')
  expect(answer).toHaveLength(2000)
})

test('a session that the server closed while it was idle costs nothing', async () => {
  const server = await start()
  const connector = connect(server.port)
  await connector.send(outgoingMessage(), NEVER)
  await server.hangUp()
  expect(await connector.send(outgoingMessage(), NEVER)).toMatchObject({ outcome: 'delivered' })
  expect([server.messages.length, server.connections]).toEqual([2, 2])
})

test('a session that turns out to be dead only when it is used again is replaced within the attempt', async () => {
  for (const fault of ['drop', { reply: '421 idle too long', thenDrop: true }] as const) {
    const server = await start()
    const connector = connect(server.port)
    await connector.send(outgoingMessage(), NEVER)
    server.once = true
    server.faults.set('mail', fault)
    expect((await connector.send(outgoingMessage(), NEVER)).outcome).toBe('delivered')
    expect([server.messages.length, server.connections]).toEqual([2, 2])
  }
})

test('a break after the end on a used session is uncertain, and nothing is sent twice behind our back', async () => {
  const server = await start()
  const connector = connect(server.port)
  await connector.send(outgoingMessage(), NEVER)
  server.faults.set('dot', 'drop')
  expect((await connector.send(outgoingMessage(), NEVER)).outcome).toBe('uncertain')
  expect([server.messages.length, server.connections]).toEqual([2, 1])
})

test('a retry after an uncertain end is the same message, so that the desk can drop the double', async () => {
  const server = await start()
  const connector = connect(server.port)
  server.faults.set('dot', 'drop')
  await connector.send(outgoingMessage(), NEVER)
  server.faults.clear()
  expect((await connector.send(outgoingMessage(), NEVER)).outcome).toBe('delivered')
  expect(server.messages[1]).toBe(server.messages[0])
})

test('an attempt that is called off ends at once, and says how far it had come', async () => {
  for (const [stage, outcome] of [
    ['rcpt', 'retry'],
    ['dot', 'uncertain'],
  ] as const) {
    const server = await start()
    server.faults.set(stage, 'stall')
    const off = new AbortController()
    const attempt = connect(server.port).send(outgoingMessage(), off.signal)
    const verb = stage === 'rcpt' ? 'RCPT' : 'DATA'
    while (
      !server.commands.some((line) => line.startsWith(verb)) ||
      (stage === 'dot' && server.messages.length === 0)
    ) {
      await new Promise(setImmediate)
    }
    off.abort()
    expect(await attempt).toMatchObject({ outcome, code: 'aborted' })
  }
})

test('a desk that stalls holds five sessions and no more, and those who wait for one give up in time', async () => {
  const server = await start()
  server.faults.set('dot', 'stall')
  const connector = connect(server.port)
  const attempts = Array.from({ length: 12 }, () => connector.send(outgoingMessage(), NEVER))
  while (server.messages.length < 5) await new Promise(setImmediate)
  expect(server.connections).toBe(5)
  const results = await Promise.all(attempts)
  const uncertain = results.filter((result) => result.outcome === 'uncertain').length
  expect(uncertain).toBe(server.messages.length)
  expect(results.every((result) => result.outcome === 'uncertain' || result.outcome === 'retry')).toBe(true)
})
