import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fromId } from '../../../server/src/ids.ts'
import { signReplyAddress } from '../../../server/src/mail/reply-address.ts'
import { signedHeaders } from '../../inbound/signed-mail.ts'
import type { RunningServer } from '../../servers.ts'
import type { Person } from '../persons.ts'
import { AUTHSERV_ID, MAIL_BRAND, REPLY, SECRET } from './brands.ts'
import { type FuzzMail, mailOf } from './make.ts'
import type { Correspondence } from './shapes.ts'

/** Mails that are handed over at once. */
const LANES = 8
/** Tickets whose answers the mails are. */
const TICKETS = 99
/** Of so many mails the request of one comes again, to the byte. */
const AGAIN = 20
const PROBE_EVERY_MS = 250
const ADA = 'ada@example.com'
/** Mails that were written by hand for the tests, and are changed here. */
const WRITTEN = join(import.meta.dirname, '../../../server/test/inbound/corpus')

export type MailRun = {
  /** Handed over. */
  sent: number
  /** The ids that were told, each with the first mail that it is of: the same mail in the same second is one request. */
  taken: Map<string, number>
  /** Answers beside those that are right, each with the mail that it was to. */
  wrong: { mail: FuzzMail; why: string }[]
  /** Milliseconds of the slowest answer of `/healthz` meanwhile. */
  slowestProbe: number
  seconds: number
}

/** Of what mails are made. */
export type Post = { who: Correspondence; written: Buffer[] }

export type MailRunOptions = {
  seed: number
  /** Of the mails: from the first number to before the last. */
  from: number
  to: number
  signal: AbortSignal
  /** Called after each mail. */
  progress(taken: number): void
}

/** Hands over so many mails, each changed or not, by HTTP. */
export async function sendMails(
  { port }: RunningServer,
  { who, written }: Post,
  options: MailRunOptions,
): Promise<MailRun> {
  const url = `http://127.0.0.1:${port}`
  const run: MailRun = { sent: 0, taken: new Map(), wrong: [], slowestProbe: 0, seconds: 0 }
  const over = new AbortController()
  const probing = probe(url, run, over.signal)
  const started = performance.now()
  let next = options.from
  const lane = async () => {
    while (next < options.to && run.wrong.length === 0) {
      options.signal.throwIfAborted()
      const mail = mailOf(options.seed, next++, who, written)
      const why = await handOver(url, mail, run.taken)
      if (why !== null) run.wrong.push({ mail, why })
      else options.progress(++run.sent)
    }
  }
  try {
    await Promise.all(Array.from({ length: LANES }, lane))
  } finally {
    over.abort()
    await probing
  }
  run.seconds = (performance.now() - started) / 1000
  return run
}

/** @returns what is wrong, and null where nothing is */
async function handOver(
  url: string,
  { number, bytes }: FuzzMail,
  taken: Map<string, number>,
): Promise<string | null> {
  const headers = signedHeaders(SECRET, bytes, Math.floor(Date.now() / 1000))
  const post = () =>
    fetch(`${url}/v1/inbound/${MAIL_BRAND}`, { method: 'POST', headers, body: new Uint8Array(bytes) })
  const first = await untilHeard(post)
  const id = /inb_[0-9a-f]{32}/.exec(first.text)?.[0] ?? ''
  const isBefore = first.status === 200 && taken.has(id)
  if (first.status !== 201 && !isBefore) return `it answered ${first.status}: ${first.text.slice(0, 200)}`
  if (!isBefore) taken.set(id, number)
  if (number % AGAIN !== 0) return null
  const again = await untilHeard(post)
  if (again.status !== 200 || again.text !== first.text)
    return `the same request again was answered ${again.status}`
  return null
}

/** A server that is full says so, and when to come again. */
async function untilHeard(post: () => Promise<Response>): Promise<{ status: number; text: string }> {
  for (;;) {
    const response = await post()
    const text = await response.text()
    if (response.status !== 503 && response.status !== 429) return { status: response.status, text }
    await pause(1000 * Number(response.headers.get('retry-after') ?? 1))
  }
}

/** Tickets of one person, who answers them by mail. */
export async function correspond(
  { port }: RunningServer,
  { id, token, brand }: Person,
): Promise<Correspondence> {
  const url = `http://127.0.0.1:${port}`
  // Of four mails one asks something new.
  const to = Array<string>(TICKETS / 3).fill(`${REPLY.local}@${REPLY.domain}`)
  const ours: string[] = []
  for (let ticket = 0; ticket < TICKETS; ticket++) {
    const response = await fetch(`${url}/v1/support/tickets`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        ...{ brand_id: brand, person_id: id, requester_email: ADA },
        ...{ subject: 'My order', body: 'Where is it?' },
      }),
    })
    const { ticket_id, message_id } = (await response.json()) as { ticket_id: string; message_id: string }
    const ticketId = fromId('tkt', ticket_id)
    if (ticketId === null) throw new Error(`a ticket was answered ${response.status}`)
    to.push(signReplyAddress(REPLY, { brandId: brand, ticketId, side: 'customer', recipient: ADA }))
    ours.push(`<${message_id}@${REPLY.domain}>`)
  }
  return { from: ADA, to, ours, authservId: AUTHSERV_ID }
}

export async function readWritten(): Promise<Buffer[]> {
  const names = await readdir(WRITTEN).catch(() => [])
  return Promise.all(
    names
      .filter((name) => name.endsWith('.eml'))
      .sort()
      .map((name) => readFile(join(WRITTEN, name))),
  )
}

/** Whether the server still answers while a mail keeps it busy. */
async function probe(url: string, run: MailRun, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const asked = performance.now()
    await fetch(`${url}/healthz`).then(
      (response) => response.text(),
      () => '',
    )
    run.slowestProbe = Math.max(run.slowestProbe, performance.now() - asked)
    await pause(PROBE_EVERY_MS)
  }
}
