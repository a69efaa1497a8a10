import type { DeskConfig } from '../config.ts'
import { sameAddress } from '../mail/acknowledgement.ts'
import type { ReplySide } from '../mail/reply-address.ts'
import type { ReadMail } from './reading/read-mail.ts'

/** Whom somebody speaks as. `name`: null where the ticket knows it. */
export type Speaker = { author: 'customer' | 'participant' | 'agent'; name: string | null }

/** Who may speak on a ticket. */
export type TicketPeople = {
  requesterEmail: string
  participants: { address: string; name: string | null }[]
}

/** By which side's address a mail points to a ticket, and by which side's Message-IDs. */
export type Pointers = { signed: ReadonlySet<ReplySide>; named: ReadonlySet<ReplySide> }

export type Sender = { address: string; name: string | null; isAgent: boolean }

/**
 * Whom a sender speaks as on a ticket, if the mail is theirs: the requester, or a participant whom an operator
 * added, each under their own address, or somebody of the desk on the desk's side. Null: nobody who may.
 *
 * A signed address says whose side it is. A Message-ID of the desk's side may have come to the requester by an agent
 * who answers directly; one of the customer's side makes nobody an agent.
 */
export function speakerOf(people: TicketPeople, { signed, named }: Pointers, sender: Sender): Speaker | null {
  const isBySignature = signed.size > 0
  if (sender.isAgent && (isBySignature ? signed : named).has('desk')) {
    return { author: 'agent', name: sender.name }
  }
  if (isBySignature && !signed.has('customer')) return null
  return customerOf(people, sender)
}

/** The requester or a participant; null: neither. */
export function customerOf(
  { requesterEmail, participants }: TicketPeople,
  { address, name }: Pick<Sender, 'address' | 'name'>,
): Speaker | null {
  if (sameAddress(requesterEmail, address)) return { author: 'customer', name: null }
  const participant = participants.find((one) => sameAddress(one.address, address))
  return participant ? { author: 'participant', name: participant.name ?? name } : null
}

/**
 * Whether somebody answers from the desk. An address of `agents` counts where the mail is proven to be theirs, a whole
 * domain only where the domain itself says so by DMARC: a signature of a neighbour's would do for the rest.
 */
export function isAgent(
  desk: DeskConfig,
  { passed, by, domain, address }: ReadMail['authentication'],
): boolean {
  if (desk.connector !== 'smtp' || desk.conversation !== 'through') return false
  if (!passed || address === null) return false
  const isByDmarc = by === 'dmarc' || by === 'authserv'
  return desk.agents.some((agent) =>
    agent.startsWith('@')
      ? isByDmarc && domain !== null && agent.slice(1) === domain
      : agent === address.toLowerCase(),
  )
}

/** Whether an address is named as the desk's; whose mail it is an operator says. */
export function isNamedAgent(desk: DeskConfig, address: string): boolean {
  const domain = address.slice(address.lastIndexOf('@') + 1)
  return isAgent(desk, {
    passed: true,
    by: 'authserv',
    temporary: false,
    domain: domain.toLowerCase(),
    address,
  })
}
