import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname } from 'node:path'
import type { ParsedMail } from 'mailparser'
import { Webhook } from 'standardwebhooks'
import { expect } from 'vitest'
import type { Brand, DeskConfig } from '../../src/config.ts'
import { fromId } from '../../src/ids.ts'
import { type Answer, brandOf, startBellhop, type TestBellhop } from '../bellhop.ts'
import { openShell, type Shell } from '../commands/command-line.ts'
import { read } from '../connectors/a-mail.ts'
import { startMailSink } from '../connectors/mail-sink.ts'
import { until } from '../database/embedded/processes.ts'
import { smtpDesk } from '../deliveries/mail-desk.ts'
import { fakeDns, mailOf, type SigningDomain, signingDomain, signMail } from './signed-mail.ts'

/** Two brands at each desk, so that whatever crosses from one to the other is seen. */
const DESKS = ['inbox', 'webhook', 'direct', 'through'] as const
type DeskKind = (typeof DESKS)[number]

const INBOUND = Buffer.from('the secret of this test’s mail server')
const DESK_SECRET = `whsec_${Buffer.alloc(24, 5).toString('base64')}`
export const ADA = signingDomain('example.com')
export const GRACE = signingDomain('agents.example')

export let bellhop: TestBellhop
let shell: Shell
let sink: Awaited<ReturnType<typeof startMailSink>>
let desk: Awaited<ReturnType<typeof startWebhookDesk>>
let brandsFile: string
/** Starts all of it; the brands have their desks and their mail at servers of this test. */
export async function startConversations(): Promise<void> {
  sink = await startMailSink()
  desk = await startWebhookDesk()
  bellhop = await startBellhop({
    resolve: fakeDns({ ...ADA.records, ...GRACE.records }),
    brands: (issuer) =>
      DESKS.flatMap((kind) => ['acme', 'globex'].map((name) => brand(`${name}-${kind}`, kind, issuer))),
  })
  shell = await openShell()
  brandsFile = await shell.writeBrands(inboxBrands())
}

export async function stopConversations(): Promise<void> {
  await shell.stop()
  await bellhop.stop()
  await desk.close()
  await sink.close()
}

function brand(id: string, kind: DeskKind, issuer: { url: string }): Brand {
  return brandOf(id, issuer, {
    desk: deskOf(id, kind),
    mail: {
      url: `smtp://127.0.0.1:${sink.port}`,
      from: { name: id, address: `support@${id}.example` },
      dkim: null,
    },
    reply: { local: 'support', domain: `${id}.example`, keys: [Buffer.alloc(32, 4)] },
    inbound: { imap: null, secret: INBOUND, trustedAuthservIds: [], acceptNew: false },
  })
}

function deskOf(id: string, kind: DeskKind): DeskConfig {
  if (kind === 'inbox') return { connector: 'inbox' }
  if (kind === 'webhook') return { connector: 'webhook', url: desk.url(id), secret: DESK_SECRET }
  return {
    ...smtpDesk(sink.port),
    from: { name: id, address: `support@${id}.example` },
    to: { name: '', address: `helpdesk@${id}.example` },
    conversation: kind,
    agents: kind === 'through' ? ['grace@agents.example'] : [],
  }
}

/** The same two brands, for the operator at a shell. */
function inboxBrands(): string {
  const brands = ['acme-inbox', 'globex-inbox'].map(
    (id) => `  - id: ${id}
    name: ${id}
    issuers: [${bellhop.issuer.url}]
    desk: { connector: inbox }
    mail: { url: 'smtp://127.0.0.1:${sink.port}', from: ${id} <support@${id}.example> }
    reply: { address: support@${id}.example, keys: ['${Buffer.alloc(32, 4).toString('base64')}'] }
`,
  )
  return `issuers:
  - { issuer: '${bellhop.issuer.url}', audience: bellhop, jwks_uri: '${bellhop.issuer.url}/jwks' }
brands:
${brands.join('')}`
}

/** What is told to webhook desks, by brand. */
async function startWebhookDesk() {
  const heard: { brandId: string; type: string; data: Record<string, unknown> }[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const brandId = (request.url ?? '').slice(1)
      heard.push({ brandId, ...JSON.parse(Buffer.concat(chunks).toString()) })
      response.writeHead(204).end()
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', () => listening()))
  const { port } = server.address() as AddressInfo
  return {
    heard,
    url: (brandId: string) => `http://127.0.0.1:${port}/${brandId}`,
    close: () => new Promise((closed) => server.close(closed)),
  }
}

export type Ticket = { id: string; messageId: string }

export async function file(brandId: string): Promise<Ticket> {
  const claims = { email: 'ada@example.com', email_verified: true }
  const authorization = `Bearer ${await bellhop.issuer.token(claims)}`
  const filed = await bellhop.file({ brand_id: brandId, body: `First, to ${brandId}.` }, { authorization })
  expect(filed.status).toBe(201)
  return { id: String(filed.body.ticket_id), messageId: String(filed.body.message_id) }
}

/** The mails that an address got of a brand, in their order, as a reader sees them. */
async function mailsTo(address: string, brandId: string, count: number): Promise<ParsedMail[]> {
  const got = () =>
    sink.mails.filter(
      ({ to, bytes }) =>
        to.includes(address) &&
        new RegExp(`^From:[^<]*<support@${brandId}\\.example>`, 'm').test(String(bytes)),
    )
  await until(() => got().length >= count)
  expect(got()).toHaveLength(count)
  return await Promise.all(got().map(({ bytes }) => read(bytes)))
}

export const toAda = (brandId: string, count: number) => mailsTo('ada@example.com', brandId, count)
export const toDesk = (brandId: string, count: number) =>
  mailsTo(`helpdesk@${brandId}.example`, brandId, count)

export const addressOf = (mail: ParsedMail | undefined) => mail?.replyTo?.value[0]?.address ?? ''
export const listOf = (ids: string | string[] | undefined) => [ids ?? []].flat()

let sent = 0
/** Seconds since 1970. */
const STARTED = Math.floor(Date.now() / 1000)

/** An answer as a mail program writes it: above what it quotes, in the thread, to where it was asked to go. */
export async function answerTo(
  mail: ParsedMail | undefined,
  { by, from, text, to = addressOf(mail) }: { by: SigningDomain; from: string; text: string; to?: string },
): Promise<Buffer> {
  const quoted = (mail?.text ?? '').split('\n').map((line) => `> ${line}`)
  const fields = {
    From: from,
    To: to,
    Subject: mail?.subject ?? '',
    'Message-ID': `<answer-${++sent}@${by.domain}>`,
    'In-Reply-To': mail?.messageId ?? '',
    References: [...listOf(mail?.references), mail?.messageId].join(' '),
    Date: new Date().toUTCString().replace('GMT', '+0000'),
  }
  const body = [text, '', 'On Mon, 2 Mar 2026 at 10:00, Support wrote:', ...quoted, `> ${to}`, '']
  return await signMail(mailOf(fields, body.join('\r\n')), [{ by }])
}

/** A mail server hands it on, and it is settled. @returns as `reply` or `quarantined reason` */
export async function bring(brandId: string, raw: Buffer): Promise<string> {
  // The same bytes may come twice, as two requests.
  const seconds = STARTED - ++sent
  const mac = createHmac('sha256', INBOUND).update(`${seconds}.`).update(raw).digest('hex')
  const taken = await bellhop.ask(`/v1/inbound/${brandId}`, {
    method: 'POST',
    headers: {
      'content-type': 'message/rfc822',
      'bellhop-timestamp': String(seconds),
      'bellhop-signature': `v1=${mac}`,
    },
    body: new Uint8Array(raw),
  })
  expect(taken.status).toBe(201)
  const id = fromId('inb', String(taken.body.inbound_id))
  return await until(async () => {
    const [row] = await bellhop.sql<{ settled: string }[]>`
      SELECT concat_ws(' ', settled_as, reason) AS settled FROM inbound_mails WHERE id = ${id} AND state = 'settled'`
    return row?.settled
  })
}

export const adaAnswers = (mail: ParsedMail | undefined, text: string) =>
  answerTo(mail, { by: ADA, from: 'Ada Lovelace <ada@example.com>', text })

export async function readTicket({ id }: Ticket): Promise<Answer> {
  return await bellhop.ask(`/v1/support/tickets/${id}`)
}

/** What the customer reads in the product, as `customer: text`. */
export async function story(ticket: Ticket): Promise<string[]> {
  const { body } = await readTicket(ticket)
  return (body.messages as { author: string; body: string }[]).map(
    ({ author, body: text }) => `${author}: ${text.trim()}`,
  )
}

async function operator(...args: string[]): Promise<string> {
  const { endpoint } = bellhop
  if (endpoint.kind !== 'socket') throw new Error('it is reached by its socket')
  const { user, password, path, database } = endpoint
  const host = encodeURIComponent(dirname(path))
  const environment = {
    BRANDS_FILE: brandsFile,
    DATA_DIR: bellhop.dataDir,
    DATABASE_URL: `postgresql://${user}:${encodeURIComponent(password)}@/${database}?host=${host}`,
  }
  const { status, out, errors } = await shell.run(['ticket', ...args], environment)
  expect([status, errors]).toEqual([0, ''])
  return out
}

/** The people at the desk answer, each by their own way. */
export const agentAnswers: Record<
  Exclude<DeskKind, 'direct'>,
  (brandId: string, ticket: Ticket, text: string) => Promise<void>
> = {
  async inbox(_, ticket, text) {
    await operator('reply', ticket.id, '-m', text, '--name', 'Grace')
  },
  async webhook(brandId, ticket, text) {
    const body = JSON.stringify({ body: text, author_name: 'Grace' })
    const id = `msg_desk_${++sent}`
    const at = new Date()
    const answered = await bellhop.ask(`/v1/desk/${brandId}/tickets/${ticket.id}/messages`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
        'webhook-signature': new Webhook(DESK_SECRET).sign(id, at, body),
      },
      body,
    })
    expect(answered.status).toBe(201)
  },
  async through(brandId, _, text) {
    const mail = (
      await toDesk(brandId, sink.mails.filter(({ to }) => to.includes(`helpdesk@${brandId}.example`)).length)
    ).at(-1)
    const raw = await answerTo(mail, { by: GRACE, from: 'Grace Hopper <grace@agents.example>', text })
    expect(await bring(brandId, raw)).toBe('reply')
  },
}

/** What the desk has heard of a ticket, each message once, in their order. */
export const deskHeard: Record<
  DeskKind,
  (brandId: string, ticket: Ticket, count: number) => Promise<string[]>
> = {
  async inbox(_, ticket, count) {
    const shown = await operator('show', ticket.id)
    const heard = [...shown.matchAll(/^ {2}\| ((?:First|From|Once).*)$/gm)].map(([, text]) => String(text))
    expect(heard).toHaveLength(count)
    return heard
  },
  async webhook(brandId, ticket, count) {
    const heard = () =>
      desk.heard.filter(
        ({ brandId: at, type, data }) =>
          at === brandId && type !== 'support.ticket.updated' && data.ticket_id === ticket.id,
      )
    await until(() => heard().length >= count)
    expect(heard().map(({ type }) => type)).toEqual([
      'support.ticket.created',
      ...Array.from({ length: count - 1 }, () => 'support.message.created'),
    ])
    return heard().map(({ data }) => String(data.body).trim())
  },
  direct: deskMails,
  through: deskMails,
}

export async function deskMails(brandId: string, ticket: Ticket, count: number): Promise<string[]> {
  const mails = await toDesk(brandId, count)
  const [first, ...later] = mails
  expect(first?.messageId).toBe(`<${ticket.messageId}@${brandId}.example>`)
  // One thread, whatever the program goes by.
  for (const mail of later) {
    expect(listOf(mail.references)[0]).toBe(first?.messageId)
    expect(mail.subject).toBe(`Re: ${first?.subject}`)
  }
  return mails.map((mail) => /^((?:First|From|Once).*)$/m.exec(mail.text ?? '')?.[1] ?? 'nothing')
}
