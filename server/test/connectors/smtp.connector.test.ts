import { once } from 'node:events'
import { simpleParser } from 'mailparser'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { afterEach, expect, test } from 'vitest'
import type { SmtpDesk } from '../../src/config.ts'
import type { Connector } from '../../src/connectors/connector.ts'
import { createConnector } from '../../src/connectors/registry.ts'
import { createSmtpConnector, SMTP_TIMEOUTS } from '../../src/connectors/smtp.connector.ts'
import { brandOf } from '../bellhop.ts'
import { NEVER, outgoingAttachment, outgoingMessage } from './outgoing-message.ts'
import { SELF_SIGNED } from './self-signed.ts'

type Arrived = { from: string; to: string[]; raw: string }

const opened: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

/** A mailbox on a real mail server. */
async function startMailServer(options: SMTPServerOptions = {}) {
  const mails: Arrived[] = []
  const counts = { connections: 0, secure: 0 }
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    ...options,
    onConnect(_session, done) {
      counts.connections += 1
      done()
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk) => chunks.push(chunk))
      stream.on('end', () => {
        if (stream.sizeExceeded) return done(Object.assign(new Error('too big'), { responseCode: 552 }))
        if (session.secure) counts.secure += 1
        const from = session.envelope.mailFrom
        mails.push({
          from: from === false ? '' : from.address,
          to: session.envelope.rcptTo.map((one) => one.address),
          raw: Buffer.concat(chunks).toString('latin1'),
        })
        done(null, 'kept as 42')
      })
    },
  })
  server.on('error', () => {})
  const listener = server.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const address = listener.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  opened.push(() => new Promise((resolve) => server.close(resolve)))
  return { port: address.port, mails, counts }
}

function connect(url: string): Connector {
  const desk: SmtpDesk = {
    connector: 'smtp',
    url,
    from: { name: 'Acme Support', address: 'support@acme.example' },
    to: { name: '', address: 'helpdesk@acme.example' },
    conversation: 'direct',
    agents: [],
  }
  const connector = createSmtpConnector(desk)
  opened.push(() => connector.close())
  return connector
}

test('a ticket arrives in the mailbox as the customer wrote it, and an answer goes to them', async () => {
  const { port, mails } = await startMailServer()
  const content = Buffer.from('id;row\r\n1;é\n')
  const message = outgoingMessage({
    subject: 'Export “stops” at row 1000',
    body: 'Hello,\n.\nit stops.',
    attachments: [outgoingAttachment(content)],
  })
  const result = await connect(`smtp://127.0.0.1:${port}`).send(message, NEVER)
  expect(result).toMatchObject({ outcome: 'delivered', code: 'smtp_250', retryAfter: null, alarm: false })
  expect(result.answer).toContain('kept as 42')
  expect(mails).toHaveLength(1)
  const mail = mails[0]
  expect([mail?.from, mail?.to]).toEqual(['support@acme.example', ['helpdesk@acme.example']])
  const parsed = await simpleParser(mail?.raw ?? '')
  expect(parsed.subject).toBe(message.subject)
  expect(parsed.text).toBe(message.body)
  expect(parsed.from?.text).toBe('"Acme Support" <support@acme.example>')
  expect(parsed.replyTo?.text).toBe('"Ada Lovelace" <ada@example.com>')
  expect(parsed.messageId).toBe(message.mailMessageId)
  expect(parsed.date?.toISOString()).toBe('2026-03-01T09:30:00.000Z')
  expect(parsed.headers.get('x-bellhop-ticket')).toBe(message.ticketId)
  expect(parsed.headers.get('auto-submitted')).toBe('auto-generated')
  expect(parsed.attachments[0]?.filename).toBe('export.csv')
  expect(parsed.attachments[0]?.content.equals(content)).toBe(true)
})

test('a customer cannot address the mail to anyone else, or add a header', async () => {
  const { port, mails } = await startMailServer()
  const evil = 'x\r\nBcc: eve@evil.example\r\n\r\n.\r\nRCPT TO:<eve@evil.example>'
  const message = outgoingMessage({
    subject: evil,
    body: `${evil}\r\n.\r\nQUIT`,
    requester: { email: '"eve@evil.example>,<x"@example.com', name: evil },
    attachments: [{ ...outgoingAttachment(Buffer.from(evil)), filename: evil, contentType: evil }],
  })
  expect((await connect(`smtp://127.0.0.1:${port}`).send(message, NEVER)).outcome).toBe('delivered')
  expect(mails.map((mail) => mail.to)).toEqual([['helpdesk@acme.example']])
  const parsed = await simpleParser(mails[0]?.raw ?? '')
  expect(parsed.bcc).toBeUndefined()
  expect(parsed.cc).toBeUndefined()
  expect(parsed.replyTo?.value).toHaveLength(1)
  expect(parsed.text).toBe(message.body.replaceAll('\r\n', '\n'))
})

test('many messages share one connection, and no more than five are open at once', async () => {
  const { port, mails, counts } = await startMailServer()
  const connector = connect(`smtp://127.0.0.1:${port}`)
  for (let sent = 0; sent < 5; sent += 1) await connector.send(outgoingMessage(), NEVER)
  expect([mails.length, counts.connections]).toEqual([5, 1])
  const results = await Promise.all(
    Array.from({ length: 40 }, () => connector.send(outgoingMessage(), NEVER)),
  )
  expect(results.every((result) => result.outcome === 'delivered')).toBe(true)
  expect(mails).toHaveLength(45)
  expect(counts.connections).toBeLessThanOrEqual(5)
})

test('the credentials of the URL are used, and wrong ones are for the operator to mend', async () => {
  const { port, mails } = await startMailServer({
    authOptional: false,
    allowInsecureAuth: true,
    onAuth: (auth, _session, done) =>
      auth.username === 'desk' && auth.password === 'p@ss/1'
        ? done(null, { user: 1 })
        : done(new Error('no')),
  })
  const right = connect(`smtp://desk:p%40ss%2F1@127.0.0.1:${port}`)
  expect((await right.send(outgoingMessage(), NEVER)).outcome).toBe('delivered')
  const wrong = await connect(`smtp://desk:hunter2@127.0.0.1:${port}`).send(outgoingMessage(), NEVER)
  expect(wrong).toMatchObject({ outcome: 'retry', code: 'authentication_failed', alarm: true })
  expect(JSON.stringify(wrong)).not.toContain('hunter2')
  const none = await connect(`smtp://127.0.0.1:${port}`).send(outgoingMessage(), NEVER)
  expect(none).toMatchObject({ outcome: 'retry', code: 'authentication_failed', alarm: true })
  expect(mails).toHaveLength(1)
})

test('a certificate that nobody vouches for is refused, unless the URL says that it is fine', async () => {
  const secure = await startMailServer({ secure: true, ...SELF_SIGNED })
  const upgraded = await startMailServer({ ...SELF_SIGNED, disabledCommands: [] })
  for (const [server, url] of [
    [secure, `smtps://localhost:${secure.port}`],
    [upgraded, `smtp://localhost:${upgraded.port}`],
  ] as const) {
    const strict = await connect(url).send(outgoingMessage(), NEVER)
    expect(strict).toMatchObject({ outcome: 'retry', code: 'tls_failed', alarm: true })
    expect(server.mails).toHaveLength(0)
    const lenient = connect(`${url}?tls.rejectUnauthorized=false`)
    expect((await lenient.send(outgoingMessage(), NEVER)).outcome).toBe('delivered')
    expect([server.mails.length, server.counts.secure]).toEqual([1, 1])
  }
})

test('requireTLS sends nothing over a connection that cannot be made safe', async () => {
  const { port, mails } = await startMailServer()
  const result = await connect(`smtp://127.0.0.1:${port}?requireTLS=true`).send(outgoingMessage(), NEVER)
  expect(result).toMatchObject({ outcome: 'retry', code: 'tls_failed', alarm: true })
  expect(mails).toHaveLength(0)
})

test('a message larger than the server takes is refused for good', async () => {
  const { port, mails } = await startMailServer({ size: 10_000 })
  const message = outgoingMessage({ attachments: [outgoingAttachment(Buffer.alloc(20_000))] })
  const result = await connect(`smtp://127.0.0.1:${port}`).send(message, NEVER)
  expect(result).toMatchObject({ outcome: 'permanent', code: 'message_too_large' })
  expect(mails).toHaveLength(0)
})

test('ten MiB arrive whole', async () => {
  const { port, mails } = await startMailServer()
  const content = Buffer.alloc(10 * 1024 * 1024, 'a ten MiB file ')
  const message = outgoingMessage({ attachments: [outgoingAttachment(content)] })
  expect((await connect(`smtp://127.0.0.1:${port}`).send(message, NEVER)).outcome).toBe('delivered')
  const base64 = mails[0]?.raw.split('base64\r\n\r\n')[1]?.split('\r\n--')[0] ?? ''
  expect(Buffer.from(base64, 'base64').equals(content)).toBe(true)
})

test('doctor asks without sending anything', async () => {
  const { port, mails, counts } = await startMailServer()
  const connector = connect(`smtp://127.0.0.1:${port}`)
  expect((await connector.verify(NEVER)).ok).toBe(true)
  expect([mails.length, counts.connections]).toEqual([0, 1])
  const tls = await startMailServer({ secure: true, ...SELF_SIGNED })
  const verdict = await connect(`smtps://desk:hunter2@localhost:${tls.port}`).verify(NEVER)
  expect(verdict.ok).toBe(false)
  expect(verdict.detail).toContain('certificate')
  expect(verdict.detail).not.toContain('hunter2')
})

test('a registry line makes the connector of each kind of desk', async () => {
  const brand = brandOf('acme', { url: 'https://login.acme.example' })
  const inbox = createConnector({ ...brand, desk: { connector: 'inbox' } }, { now: Date.now })
  expect([inbox.name, inbox.atCommit, (await inbox.verify(NEVER)).ok]).toEqual(['inbox', true, true])
  const secret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`
  const url = 'http://127.0.0.1:9/tickets'
  const webhook = createConnector(
    { ...brand, desk: { connector: 'webhook', url, secret } },
    { now: Date.now },
  )
  expect([webhook.name, webhook.atCommit]).toEqual(['webhook', false])
  await webhook.close()
})

test('an attempt ends within 60 s in production', () => {
  expect(SMTP_TIMEOUTS.attempt).toBeLessThan(60_000)
  for (const part of [SMTP_TIMEOUTS.connect, SMTP_TIMEOUTS.greeting, SMTP_TIMEOUTS.answer]) {
    expect(part).toBeLessThan(SMTP_TIMEOUTS.attempt)
  }
})
