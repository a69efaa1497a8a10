import { attemptResult } from '../connectors/attempt-result.ts'
import type { AttemptResult, Connector, DeliveryKind, OutgoingMessage } from '../connectors/connector.ts'
import { toId } from '../ids.ts'
import type { Log } from '../log.ts'
import type { Job } from './job.ts'

/** An attempt that has not ended by itself after this is ended, in milliseconds. */
const ATTEMPT_LIMIT_MS = 58_000

/** How an attempt ended, and whether the desk was asked at all. */
export type Ended = { result: AttemptResult; asked: boolean }

export const NOT_BEGUN: Ended = { result: attemptResult('retry', 'aborted'), asked: false }

/** One try: the attachments are read first, so that what cannot be read is known before anything is sent. */
export async function makeAttempt(
  connector: Connector,
  job: Job,
  signal: AbortSignal,
  log: Log,
): Promise<Ended> {
  const refused = refuse(connector, job)
  if (refused !== null) return { result: attemptResult('permanent', refused), asked: false }
  const named = { brand_id: job.brandId, delivery_id: toId('dlv', job.deliveryId) }
  let message: OutgoingMessage
  try {
    message = await readAttachments(job.message)
  } catch (error) {
    // The disk's fault and not the desk's, which may well take other messages.
    log.fault('attachment_unreadable', error, named)
    return { result: attemptResult('retry', 'attachment_unreadable', { alarm: true }), asked: false }
  }
  const limit = AbortSignal.timeout(ATTEMPT_LIMIT_MS)
  try {
    const result = await connector.send(message, AbortSignal.any([signal, limit]))
    return { result, asked: result.unasked !== true }
  } catch (error) {
    // A connector does not throw for what a desk may do: this is a bug.
    log.fault('attempt_failed', error, named)
    return { result: attemptResult('uncertain', 'internal_error', { alarm: true }), asked: true }
  }
}

/**
 * Whether the outlet took a message, or said something final of it. A desk has one address, and is not there while
 * that is refused; of customers, one whose mailbox is full says nothing of the others.
 */
export function isAnswered({ message }: Job, { outcome, ofRecipient }: AttemptResult): boolean {
  if (outcome === 'delivered' || outcome === 'permanent') return true
  return message.side === 'customer' && ofRecipient === true
}

/** Kinds of delivery that one kind of desk alone has a use for, by its connector's name. */
const ONLY: Partial<Record<DeliveryKind, string>> = { status: 'webhook', returned: 'smtp' }

/**
 * What is never sent, whatever would be answered: mail to an address that is to have none, and what was meant for a
 * desk of another kind than the brand has now.
 * @returns the code of the attempt, or null
 */
function refuse(connector: Connector, { refused, message }: Job): string | null {
  if (refused !== null) return refused
  const only = ONLY[message.kind]
  return only === undefined || only === connector.name || connector.atCommit ? null : 'desk_changed'
}

/** The same message with the bytes of its attachments in hand. @throws where they cannot be read */
async function readAttachments(message: OutgoingMessage): Promise<OutgoingMessage> {
  if (message.attachments.length === 0) return message
  const attachments = await Promise.all(
    message.attachments.map(async (attachment) => {
      const bytes = await attachment.read()
      return { ...attachment, read: async () => bytes }
    }),
  )
  return { ...message, attachments }
}
