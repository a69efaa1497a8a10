import { OperatorError } from '../errors.ts'
import { toId } from '../ids.ts'
import { listQuarantine, type MailLine } from '../inbound/quarantine.store.ts'
import { withInbound } from './inbound-database.ts'
import { formatTable, toTime } from './table.ts'
import { jsonOnTerminal, onOneLine } from './terminal-text.ts'

export type InboundListOptions = { brand?: string; limit: string; json?: boolean }

/** `bellhop inbound list`: what lies in quarantine, the oldest first. */
export async function inboundListCommand(
  options: InboundListOptions,
  out: NodeJS.WritableStream,
): Promise<void> {
  const limit = /^\d{1,6}$/.test(options.limit) ? Number(options.limit) : 0
  if (limit < 1) throw new OperatorError('--limit: expected a whole number from 1 to 999999')
  await withInbound(async ({ database }) => {
    const lines = await listQuarantine(database.sql, { brandId: options.brand ?? null, limit })
    if (options.json) out.write(jsonOnTerminal(lines.map(mailToJson)))
    else if (lines.length === 0) out.write('No mail lies in quarantine.\n')
    else out.write(formatTable(HEADINGS, lines.map(toCells)))
  })
}

const HEADINGS = ['MAIL', 'BRAND', 'REASON', 'FROM', 'PROVEN', 'POINTS TO', 'BYTES', 'BY', 'CAME']

function toCells(line: MailLine): string[] {
  return [
    toId('inb', line.mailId),
    line.brandId,
    line.reason ?? '-',
    line.authorAddress === null ? '-' : onOneLine(line.authorAddress),
    line.authenticated === true ? 'yes' : 'no',
    line.ticketId === null ? '-' : toId('tkt', line.ticketId),
    String(line.size),
    line.way,
    toTime(line.receivedAt),
  ]
}

/** A mail's row, as the commands about mail write it in JSON. */
export function mailToJson(line: MailLine): Record<string, string | number | boolean | null> {
  const id = (prefix: 'tkt' | 'msg' | 'dlv', uuid: string | null) =>
    uuid === null ? null : toId(prefix, uuid)
  return {
    inbound_id: toId('inb', line.mailId),
    brand_id: line.brandId,
    way: line.way,
    received_at: line.receivedAt.toISOString(),
    size: line.size,
    head_only: line.headOnly,
    settled_as: line.settledAs,
    reason: line.reason,
    settled_at: line.settledAt?.toISOString() ?? null,
    from: line.authorAddress,
    authenticated: line.authenticated,
    mail_message_id: line.mailMessageId,
    ticket_id: id('tkt', line.ticketId),
    message_id: id('msg', line.messageId),
    delivery_id: id('dlv', line.deliveryId),
    resolution: line.resolution,
    resolved_at: line.resolvedAt?.toISOString() ?? null,
  }
}
