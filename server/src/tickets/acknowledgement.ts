import type { Brand } from '../config.ts'
import { customerMailDomain } from '../connectors/message-id.ts'
import { newUuid, toId } from '../ids.ts'
import { acknowledges } from '../mail/acknowledgement.ts'
import { comparableAddress } from '../mail/address.ts'
import type { NewAcknowledgementRow } from './new-ticket.store.ts'

/**
 * The mail that tells a requester that their request came; null where the brand sends none to such an address.
 * @param isProven whether the address is known to be theirs
 */
export function acknowledgementFor(
  brand: Brand,
  address: string,
  isProven: boolean,
): NewAcknowledgementRow | null {
  const { mail } = brand
  if (mail === null || !acknowledges(brand, isProven)) return null
  const deliveryId = newUuid()
  return {
    deliveryId,
    recipient: comparableAddress(address),
    mailMessageId: `<${toId('dlv', deliveryId)}@${customerMailDomain(mail)}>`,
  }
}
