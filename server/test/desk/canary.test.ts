import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Brand } from '../../src/config.ts'
import type { Connector } from '../../src/connectors/connector.ts'
import { createConnector } from '../../src/connectors/registry.ts'
import type { ConversationDeps } from '../../src/conversation/conversation.ts'
import { releaseHeld } from '../../src/conversation/release-held.ts'
import { type Said, say } from '../../src/conversation/say.ts'
import { fromId, toId } from '../../src/ids.ts'
import { brandOf, startBellhop, type TestBellhop } from '../bellhop.ts'
import { read as readMail } from '../connectors/a-mail.ts'
import { type FaultHttpServer, httpAnswer, startFaultHttpServer } from '../connectors/fault-http-server.ts'
import { startMailSink } from '../connectors/mail-sink.ts'
import { answer } from '../conversation/scene.ts'
import { type Listener, listen, until } from '../events/listener.ts'
import { post, SECRET } from './signing-desk.ts'

/** What no customer may see, by whatever way. */
const HIDDEN = 'canary-hidden-4b1d'
/** What the customer reads in the product, and what no private mail says. */
const PRIVATE = 'canary-private-9e02'

let desk: FaultHttpServer
let sink: Awaited<ReturnType<typeof startMailSink>>
let bellhop: TestBellhop
let connector: Connector
let deps: ConversationDeps
let authorization: string
let ticketId: string
let listener: Listener
beforeAll(async () => {
  desk = await startFaultHttpServer()
  desk.behaviour = httpAnswer(204)
  sink = await startMailSink()
  let brand: Brand | null = null
  bellhop = await startBellhop({
    brands(issuer) {
      const url = `http://127.0.0.1:${desk.port}/`
      brand = brandOf('acme', issuer, {
        desk: { connector: 'webhook', url, secret: SECRET },
        mail: {
          url: `smtp://127.0.0.1:${sink.port}`,
          from: { name: 'Acme', address: 'support@acme.example' },
          dkim: null,
        },
        reply: { local: 'support', domain: 'acme.example', keys: [Buffer.alloc(32, 1)] },
        answers: 'verified',
        private: true,
        ticketUrl: 'https://app.acme.example/tickets/{ticket_id}',
      })
      return [brand]
    },
    streamTimes: { look: 20 },
  })
  const acme = brand ?? brandOf('acme', bellhop.issuer)
  connector = createConnector(acme, { now: Date.now })
  deps = { brands: new Map([['acme', acme]]), connectorOf: () => connector }
  const claims = { email: 'ada@example.com', email_verified: true }
  authorization = `Bearer ${await bellhop.issuer.token(claims)}`
})
afterAll(async () => {
  listener?.hangUp()
  await connector.close()
  await bellhop.stop()
  await sink.close()
  await desk.close()
})

const ask = (path = '', init: RequestInit = {}) =>
  bellhop.ask(`/v1/support/tickets${path}`, {
    ...init,
    headers: { authorization, 'content-type': 'application/json', ...init.headers },
  })
const file = (name: string) => ({
  filename: `${name}.txt`,
  content_base64: Buffer.from(name).toString('base64'),
})
const speak = async (what: Partial<Said>) => {
  const opened = { brandId: 'acme', ticketId: fromId('tkt', ticketId) ?? '', messageId: '' }
  const said = answer(opened, what)
  await bellhop.sql.begin((tx) => say(tx, deps, said))
  return said.messageId
}
const release = (messageId: string) =>
  bellhop.sql.begin((tx) =>
    releaseHeld(tx, deps, { brandId: 'acme', messageId, actor: 'operator', actorId: 'grace' }),
  )
/** When all that was promised has been carried. */
const allCarried = () =>
  until(async () => (await bellhop.sql`SELECT FROM deliveries WHERE state <> 'delivered'`).length === 0)

type Hook = { type: string; data: { status?: string; message_id?: string } }
const hooks = () => desk.received.map(({ body }) => JSON.parse(body) as Hook)
const told = () =>
  hooks()
    .map(({ type, data }) => [type, data.status].join(' ').trim())
    .sort()

/** All that a mail says, as its reader and its bytes have it. */
async function wordsOf(bytes: Buffer): Promise<string> {
  const { subject, text, html, headerLines, attachments } = await readMail(bytes)
  const headers = headerLines.map(({ line }) => line).join('\n')
  return [subject, text, html, headers, JSON.stringify(attachments), bytes.toString()].join('\n')
}

describe('a conversation by a webhook desk, with a customer who gets private mail', () => {
  test('while there are notes, held answers and mails of machines', async () => {
    const filed = await ask('', {
      method: 'POST',
      body: JSON.stringify({
        brand_id: 'acme',
        person_id: 'per_ada',
        requester_email: 'ada@example.com',
        subject: PRIVATE,
        body: PRIVATE,
        attachment: file(PRIVATE),
      }),
    })
    expect(filed.body).toMatchObject({ status: 'sent' })
    ticketId = String(filed.body.ticket_id)
    listener = await listen(bellhop.url, ticketId, { authorization })
    const noted = { body: HIDDEN, author_name: HIDDEN, note: true, attachments: [file(HIDDEN)] }
    expect((await post(bellhop, ticketId, noted)).status).toBe(201)
    await speak({ body: HIDDEN, authorName: HIDDEN, heldFor: 'uncertain_text', via: 'mail' })
    const mail = { body: HIDDEN, author: 'customer', actor: 'sender', via: 'mail' } as const
    await speak({ ...mail, heldFor: 'loop' })
    await speak({ ...mail, automatic: true })
    const answered = { body: PRIVATE, author_name: PRIVATE, attachments: [file(PRIVATE)] }
    expect((await post(bellhop, ticketId, answered)).status).toBe(201)
    const again = { body: HIDDEN, note: true, status: 'pending' }
    expect((await post(bellhop, ticketId, again)).status).toBe(201)
    const followed = { body: PRIVATE, attachments: [file(PRIVATE)] }
    const said = await ask(`/${ticketId}/messages`, { method: 'POST', body: JSON.stringify(followed) })
    expect(said.status).toBe(201)
    await allCarried()
  })

  test('the desk gets what the customer said and did, and nothing of what it said itself or nobody may carry', () => {
    expect(told()).toEqual([
      'support.message.created open',
      'support.ticket.created',
      'support.ticket.updated open',
    ])
    const all = desk.received.map(({ head, body }) => head + body).join('')
    expect(all).not.toContain(HIDDEN)
    expect(all).toContain(PRIVATE)
  })

  test('the customer gets an acknowledgement and a notice, which say nothing but that there is something', async () => {
    expect(sink.mails.map(({ to }) => to)).toEqual([['ada@example.com'], ['ada@example.com']])
    for (const { bytes } of sink.mails) {
      const words = await wordsOf(bytes)
      expect(words).not.toContain(HIDDEN)
      expect(words).not.toContain(PRIVATE)
      expect(words).not.toMatch(/^(?:references|in-reply-to|x-bellhop-ticket):/im)
      expect((await readMail(bytes)).attachments).toEqual([])
      expect(words).toContain(`https://app.acme.example/tickets/${ticketId}`)
    }
  })

  test('the product shows the three things that were said, and their events', async () => {
    const one = await ask(`/${ticketId}`)
    const messages = one.body.messages as { body: string; attachments: object[] }[]
    expect(messages.map(({ body, attachments }) => [body, attachments.length])).toEqual(
      Array(3).fill([PRIVATE, 1]),
    )
    const list = await ask('?brand_id=acme')
    // Of what is not shown there is none, whichever id is asked for.
    const files = await bellhop.sql<{ id: string }[]>`
      SELECT id FROM attachments WHERE filename = ${`${HIDDEN}.txt`}`
    expect(files).toHaveLength(1)
    for (const { id } of files)
      expect((await ask(`/${ticketId}/attachments/${toId('att', id)}`)).status).toBe(404)
    await until(() => listener.events().filter(({ event }) => event === 'ticket.updated').length === 2)
    const shown = (one.body.messages as { message_id: unknown }[]).map(({ message_id }) => message_id)
    for (const { data } of listener.events()) expect([undefined, ...shown]).toContain(data.message_id)
    expect(one.text + list.text + listener.text()).not.toContain(HIDDEN)
    expect(bellhop.logged()).not.toMatch(/canary/)
  })

  test('and the test would notice: what is released goes these ways', async () => {
    const held = await speak({ body: HIDDEN, author: 'customer', heldFor: 'loop', via: 'mail' })
    await release(held)
    await allCarried()
    expect(hooks().at(-1)).toMatchObject({ data: { message_id: toId('msg', held), body: HIDDEN } })
    const mails = sink.mails.length
    await release(await speak({ body: HIDDEN, heldFor: 'uncertain_text', via: 'mail' }))
    await allCarried()
    expect(sink.mails).toHaveLength(mails + 1)
    expect(await wordsOf(sink.mails.at(-1)?.bytes ?? Buffer.alloc(0))).not.toContain(HIDDEN)
    expect((await ask(`/${ticketId}`)).text).toContain(HIDDEN)
  })
})
