import type { Brand } from '../config.ts'
import type { Connector } from '../connectors/connector.ts'
import { CUSTOMER_MAIL } from '../connectors/connector.ts'
import { customerMailDomain, mailDomain } from '../connectors/message-id.ts'
import { newUuid, toId } from '../ids.ts'
import type { Promised } from './promises.ts'

/** A delivery that is to be kept. */
export type PromisedRow = Promised & {
  deliveryId: string
  messageId: string
  connector: string
  mailMessageId: string | null
  /** `delivered` where COMMIT is the delivery. */
  state: 'delivered' | 'pending'
}

/**
 * A promise as the row to keep.
 * @param messageId the message it tells of; of a status the ticket's first one
 * @param desk the connector of the brand's desk
 */
export function toDeliveryRow(
  promised: Promised,
  { brand, messageId, desk }: { brand: Brand; messageId: string; desk: Connector },
): PromisedRow {
  const deliveryId = newUuid()
  const isDesk = promised.side === 'desk'
  return {
    ...promised,
    deliveryId,
    messageId,
    connector: isDesk ? desk.name : CUSTOMER_MAIL,
    mailMessageId: messageIdOf(promised, brand, messageId, deliveryId),
    state: isDesk && desk.atCommit ? 'delivered' : 'pending',
  }
}

/** A mail that tells the desk of a message is named by the message, every other one by its delivery. */
function messageIdOf({ side, kind }: Promised, brand: Brand, messageId: string, deliveryId: string) {
  const domain = side === 'desk' ? mailDomain(brand.desk) : brand.mail && customerMailDomain(brand.mail)
  if (domain === null) return null
  const name = side === 'desk' && kind === 'message' ? toId('msg', messageId) : toId('dlv', deliveryId)
  return `<${name}@${domain}>`
}
