import { userInfo } from 'node:os'
import { loadConfig } from '../config.ts'
import { createConnector } from '../connectors/registry.ts'
import type { ConversationDeps } from '../conversation/conversation.ts'
import { AppError, OperatorError } from '../errors.ts'
import { fromId, toId } from '../ids.ts'
import { discardMail, releaseMail, UnreadAnswer } from '../inbound/quarantine.ts'
import { assertLies, findMail, resolvedAlready, withInbound } from './inbound-database.ts'

/** `bellhop inbound release ID --ticket T`: the mail becomes a message on the ticket. */
export async function inboundReleaseCommand(
  id: string,
  options: { ticket: string; json?: boolean },
  out: NodeJS.WritableStream,
): Promise<void> {
  const ticketId = fromId('tkt', options.ticket)
  if (ticketId === null)
    throw new OperatorError('--ticket: expected the id of a ticket, tkt_ and 32 hexadecimal digits')
  const { brands } = await loadConfig(process.env)
  await withInbound(async (tools) => {
    const line = await findMail(tools, id)
    assertLies(line)
    const brand = brands.brands.find((one) => one.id === line.brandId)
    if (brand === undefined) throw new OperatorError('The mail’s brand is not in the brands file.')
    const { sha256 } = line
    if (sha256 === null)
      throw new OperatorError('The mail as it came was kept for INBOUND_KEEP, and is gone.')
    const desk = createConnector(brand, { now: Date.now })
    const conversation: ConversationDeps = {
      brands: new Map(brands.brands.map((one) => [one.id, one])),
      connectorOf: () => desk,
    }
    try {
      const released = await releaseMail(
        { ...tools, conversation },
        { ...line, sha256 },
        ticketId,
        userInfo().username,
      ).catch(explain)
      if (released === null) throw resolvedAlready()
      const { messageId, author, heldFor } = released
      const message = toId('msg', messageId)
      if (options.json)
        out.write(`${JSON.stringify({ message_id: message, author, held_for: heldFor }, null, 2)}\n`)
      else out.write(`${message} is on the ticket, as said by ${SAID_BY[author]}.${heldFor ? HELD : ''}\n`)
    } finally {
      await desk.close()
    }
  })
}

const SAID_BY = { customer: 'the customer', participant: 'a participant', agent: 'an agent' }
const HELD = ' It is held there, since its newest text cannot be told from what it quotes.'

function explain(error: unknown): never {
  if (error instanceof UnreadAnswer)
    throw new OperatorError(
      'An agent’s mail that cannot be read, or is too long, would go to the customer with all that it quotes: answer by bellhop ticket reply.',
    )
  if (error instanceof AppError && error.code === 'not_found')
    throw new OperatorError('--ticket: the mail’s brand has no such ticket.')
  if (error instanceof AppError && error.code === 'ticket_closed')
    throw new OperatorError('--ticket: the ticket is closed, and nothing is said on it any more.')
  throw error
}

/** `bellhop inbound discard ID` */
export async function inboundDiscardCommand(id: string, out: NodeJS.WritableStream): Promise<void> {
  await withInbound(async (tools) => {
    const line = await findMail(tools, id)
    assertLies(line)
    if (!(await discardMail(tools.database.sql, line, userInfo().username))) throw resolvedAlready()
    out.write(`${toId('inb', line.mailId)} is discarded.\n`)
  })
}
