import type { Executor } from '../database/pool.ts'
import { comparableAddress } from '../mail/address.ts'
import { insertMessage, type NewMessageRow, writeConsequences } from './conversation.store.ts'
import { type Actor, brandOf, type ConversationDeps } from './conversation.ts'
import { toDeliveryRow } from './delivery-row.ts'
import { insertMailTicket, mayAcknowledge } from './open-ticket.store.ts'
import { type Promised, promisesOfMessage } from './promises.ts'
import type { SaidResult } from './say.ts'

/** A ticket that comes by mail, with its first message. It has no person until one claims it. */
export type Opened = Actor &
  Pick<
    NewMessageRow,
    | 'brandId'
    | 'ticketId'
    | 'messageId'
    | 'body'
    | 'wholeText'
    | 'html'
    | 'inboundMailId'
    | 'attachments'
    | 'via'
  > & {
    subject: string
    requesterEmail: string
    requesterName: string | null
    /** Whether the mail was authenticated. */
    addressProven: boolean
    /** Whether the requester is told that it came. Where the address bounced, or had many such mails, it is not. */
    acknowledge: boolean
  }

/** Opens a ticket, in the caller's transaction, with its audit entry and what goes to the desk and the requester. */
export async function openTicket(tx: Executor, deps: ConversationDeps, opened: Opened): Promise<SaidResult> {
  const { brandId, ticketId, messageId, actor, actorId, inboundMailId } = opened
  const brand = brandOf(deps, brandId)
  const recipient = comparableAddress(opened.requesterEmail)
  await insertMailTicket(tx, { ...opened, requesterEmail: recipient })
  const createdAt = await insertMessage(tx, {
    ...opened,
    author: 'customer',
    authorName: opened.requesterName,
    authorAddress: recipient,
    automatic: false,
    heldFor: null,
  })
  const message = {
    author: 'customer',
    heldFor: null,
    automatic: false,
    authorAddress: recipient,
  } as const
  const nobody = {
    requester: { address: recipient, proven: opened.addressProven },
    participants: [],
  }
  const promised: Promised[] = promisesOfMessage(brand, message, nobody)
  if (opened.acknowledge && brand.mail !== null && (await mayAcknowledge(tx, brandId, recipient)))
    promised.push({ side: 'customer', kind: 'acknowledgement', recipient, status: null })
  const desk = deps.connectorOf(brandId)
  const deliveries = promised.map((one) => toDeliveryRow(one, { brand, messageId, desk }))
  const entries = [{ action: 'ticket.created', messageId, status: null }]
  await writeConsequences(tx, {
    brandId,
    ticketId,
    actor,
    actorId,
    inboundMailId,
    moved: null,
    deliveries,
    entries,
  })
  return { status: 'open', createdAt, deliveryIds: deliveries.map(({ deliveryId }) => deliveryId) }
}
