import type { TicketStatus } from '../connectors/connector.ts'
import { type ListedTicket, listTickets, readStory } from '../conversation/ticket.report.ts'
import { OperatorError } from '../errors.ts'
import { toId } from '../ids.ts'
import { comparableAddress } from '../mail/address.ts'
import { signReplyAddress } from '../mail/reply-address.ts'
import { formatTable, toTime } from './table.ts'
import { jsonOnTerminal, onOneLine } from './terminal-text.ts'
import { readId, ticketAt, withTickets } from './ticket-shell.ts'
import { storyJson, storyText, type TicketStory } from './ticket-story.ts'

const STATUSES: TicketStatus[] = ['open', 'pending', 'solved', 'closed']
/** What a list is of unless a status is named: all that somebody may have to answer. */
const WAITING: TicketStatus[] = ['open', 'pending']
const SUBJECT = 60

export type ListOptions = { status?: string; brand?: string; limit: string; json?: boolean }

/** `bellhop ticket [list]` */
export async function listCommand(options: ListOptions, out: NodeJS.WritableStream): Promise<void> {
  const filter = {
    statuses: options.status === undefined ? WAITING : [readStatus(options.status)],
    brandId: options.brand ?? null,
    limit: readLimit(options.limit),
  }
  await withTickets(async ({ sql }) => {
    const tickets = await listTickets(sql, filter)
    if (options.json) out.write(jsonOnTerminal(tickets.map(toJson)))
    else if (tickets.length === 0) out.write('No tickets.\n')
    else out.write(formatTable(HEADINGS, tickets.map(toCells)))
  })
}

/** `bellhop ticket show ID`: the whole story of a ticket, notes and what is held among it. */
export async function showCommand(
  id: string,
  options: { json?: boolean },
  out: NodeJS.WritableStream,
): Promise<void> {
  const ticketId = readId('tkt', id)
  await withTickets(async ({ sql, conversation }) => {
    const ticket = await ticketAt(sql, ticketId)
    const { brandId, requesterEmail } = ticket
    const reply = conversation.brands.get(brandId)?.reply ?? null
    const signed = { brandId, ticketId, side: 'customer', recipient: requesterEmail } as const
    const story: TicketStory = {
      ticket,
      replyAddress: reply === null ? null : signReplyAddress(reply, signed),
      ...(await readStory(sql, ticket, comparableAddress(requesterEmail))),
    }
    out.write(options.json ? jsonOnTerminal(storyJson(story)) : storyText(story))
  })
}

const HEADINGS = ['TICKET', 'STATUS', 'BRAND', 'MOVED', 'LAST', 'HELD', 'SUBJECT']

function toCells(ticket: ListedTicket): string[] {
  return [
    toId('tkt', ticket.ticketId),
    ticket.status,
    ticket.brandId,
    toTime(ticket.updatedAt),
    ticket.lastAuthor ?? '-',
    ticket.held === 0 ? '-' : String(ticket.held),
    onOneLine([...ticket.subject].slice(0, SUBJECT).join('')),
  ]
}

function toJson(ticket: ListedTicket): object {
  return {
    ticket_id: toId('tkt', ticket.ticketId),
    brand_id: ticket.brandId,
    status: ticket.status,
    subject: ticket.subject,
    created_at: ticket.createdAt.toISOString(),
    updated_at: ticket.updatedAt.toISOString(),
    last_author: ticket.lastAuthor,
    held: ticket.held,
  }
}

function readStatus(text: string): TicketStatus {
  const status = STATUSES.find((one) => one === text)
  if (status === undefined) throw new OperatorError(`--status: expected one of ${STATUSES.join(', ')}`)
  return status
}

function readLimit(text: string): number {
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0
  if (limit < 1) throw new OperatorError('--limit: expected a whole number from 1 to 999999')
  return limit
}
