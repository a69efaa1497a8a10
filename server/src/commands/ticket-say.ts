import type { Brand } from '../config.ts'
import type { TicketStatus } from '../connectors/connector.ts'
import { releaseHeld } from '../conversation/release-held.ts'
import { say } from '../conversation/say.ts'
import { setStatus } from '../conversation/status.ts'
import { findMessage, readPromised } from '../conversation/ticket.report.ts'
import type { Sql } from '../database/pool.ts'
import { OperatorError } from '../errors.ts'
import { newUuid, toId } from '../ids.ts'
import { holdNotice } from './hold.ts'
import { jsonOnTerminal, onOneLine } from './terminal-text.ts'
import { keepFiles, readFiles } from './ticket-files.ts'
import { brandOfTicket, readId, ticketAt, withTickets } from './ticket-shell.ts'
import { readName, readText, type Terminal } from './ticket-text.ts'

const SETTABLE: TicketStatus[] = ['open', 'pending', 'solved']

export type SayOptions = { body?: string; file?: string[]; name?: string; status?: string; json?: boolean }

/** `bellhop ticket reply ID`: an agent's answer, which the customer hears. */
export async function replyCommand(
  id: string,
  options: SayOptions,
  terminal: Terminal,
  out: NodeJS.WritableStream,
): Promise<void> {
  await sayCommand('agent', id, options, terminal, out)
}

/** `bellhop ticket note ID`: an internal note, which no customer hears. */
export async function noteCommand(
  id: string,
  options: SayOptions,
  terminal: Terminal,
  out: NodeJS.WritableStream,
): Promise<void> {
  await sayCommand('note', id, options, terminal, out)
}

async function sayCommand(
  author: 'agent' | 'note',
  id: string,
  options: SayOptions,
  terminal: Terminal,
  out: NodeJS.WritableStream,
): Promise<void> {
  const ticketId = readId('tkt', id)
  const authorName = readName(options.name)
  const status = options.status === undefined ? null : readStatus(options.status)
  const paths = options.file ?? []
  await withTickets(async (shell) => {
    const { sql, config, conversation, operator } = shell
    const ticket = await ticketAt(sql, ticketId)
    const brand = brandOfTicket(shell, ticket)
    const { textBytes, attachmentBytes } = config.environment.limits
    const files = await readFiles(paths, attachmentBytes)
    const body = await readText(options.body, terminal, textBytes)
    const attachments = await keepFiles(shell, sql, files)
    const messageId = newUuid()
    const said = await sql.begin(async (tx) => {
      const result = await say(tx, conversation, {
        brandId: brand.id,
        ticketId,
        messageId,
        author,
        authorName,
        authorAddress: null,
        via: 'command',
        body,
        wholeText: null,
        html: null,
        automatic: false,
        heldFor: null,
        inboundMailId: null,
        attachments,
        ...operator,
        ...(status === null ? {} : { status }),
      })
      return { status: result.status, promised: await readPromised(tx, brand.id, messageId) }
    })
    const next = author === 'note' ? 'It is a note: no customer reads it.' : nextOf(brand, said.promised)
    await tell(sql, out, options, { ticketId, messageId, ...said, next })
  })
}

/** `bellhop ticket release ID`: what was held goes on as if it had just been said. */
export async function releaseCommand(
  id: string,
  options: { json?: boolean },
  out: NodeJS.WritableStream,
): Promise<void> {
  const messageId = readId('msg', id)
  await withTickets(async (shell) => {
    const { sql, conversation, operator } = shell
    const found = await findMessage(sql, messageId)
    if (found === null) throw new OperatorError('There is no message with this id.')
    const { brandId, ticketId } = found
    const brand = brandOfTicket(shell, await ticketAt(sql, ticketId))
    if (found.heldFor !== null && found.body.trim() === '') {
      throw new OperatorError(
        `The message says nothing that could be told apart from what it quotes: read it by bellhop ticket show ${toId('tkt', ticketId)}, and answer by bellhop ticket reply`,
      )
    }
    const released = await sql.begin(async (tx) => {
      const result = await releaseHeld(tx, conversation, { brandId, messageId, ...operator })
      return result && { status: result.status, promised: await readPromised(tx, brandId, messageId) }
    })
    if (released === null) throw new OperatorError('The message is not held.')
    const next = nextOf(brand, released.promised)
    await tell(sql, out, options, { ticketId, messageId, ...released, next })
  })
}

/** `bellhop ticket solve | open | pending ID` */
export async function statusCommand(
  id: string,
  status: TicketStatus,
  options: { json?: boolean },
  out: NodeJS.WritableStream,
): Promise<void> {
  const ticketId = readId('tkt', id)
  await withTickets(async (shell) => {
    const { sql, conversation, operator } = shell
    const { id: brandId } = brandOfTicket(shell, await ticketAt(sql, ticketId))
    await sql.begin((tx) => setStatus(tx, conversation, { brandId, ticketId, status, ...operator }))
    const ticket = toId('tkt', ticketId)
    out.write(options.json ? jsonOnTerminal({ ticket_id: ticket, status }) : `${ticket} is ${status}.\n`)
  })
}

type Promised = Awaited<ReturnType<typeof readPromised>>
type Told = { ticketId: string; messageId: string; status: TicketStatus; promised: Promised; next: string }

async function tell(
  sql: Sql,
  out: NodeJS.WritableStream,
  { json }: { json?: boolean },
  { ticketId, messageId, status, promised, next }: Told,
): Promise<void> {
  if (json) {
    const deliveries = promised
      // What told its agent that it was held is no part of what happens next.
      .filter(({ kind }) => kind !== 'returned')
      .map(({ deliveryId, side, kind, recipient }) => ({
        delivery_id: toId('dlv', deliveryId),
        side,
        kind,
        recipient,
      }))
    const ids = { ticket_id: toId('tkt', ticketId), message_id: toId('msg', messageId) }
    out.write(jsonOnTerminal({ ...ids, ticket_status: status, deliveries }))
    return
  }
  out.write(`${toId('msg', messageId)}\n${next} The ticket is ${status}.\n`)
  const notice = promised.some(({ state }) => state === 'pending') ? await holdNotice(sql) : ''
  if (notice !== '') out.write(`Note: ${notice}\n`)
}

/** What becomes of a message, in a sentence. */
function nextOf(brand: Brand, promised: Promised): string {
  const count = (kind: string) =>
    promised.filter((one) => one.side === 'customer' && one.kind === kind && !one.refused).length
  if (promised.some(({ side, kind }) => side === 'desk' && kind === 'message')) return 'It goes to the desk.'
  if (brand.mail === null)
    return `The answer is read in the product only: brand ${onOneLine(brand.id)} has no mail.`
  const [whole, notices] = [count('message'), count('notice')]
  const sentences: string[] = []
  if (whole > 0) sentences.push(`The answer is mailed to ${addresses(whole)}.`)
  if (notices > 0)
    sentences.push(`That there is an answer, and nothing of it, is mailed to ${addresses(notices)}.`)
  if (sentences.length > 0) return sentences.join(' ')
  return 'The answer is read in the product only: every address has refused mail for good (bellhop ticket show, bellhop ticket address).'
}

function addresses(count: number): string {
  return count === 1 ? '1 address' : `${count} addresses`
}

function readStatus(text: string): TicketStatus {
  const status = SETTABLE.find((one) => one === text)
  if (status === undefined) throw new OperatorError(`--status: expected one of ${SETTABLE.join(', ')}`)
  return status
}
