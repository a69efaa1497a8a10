import type { Brand } from '../config.ts'
import type { DeliveryKind, Side, TicketStatus } from '../connectors/connector.ts'
import { comparableAddress } from '../mail/address.ts'
import { isVisibleToCustomer, type Visibility } from './visible.ts'

/** A delivery that something makes, before it is a row. */
export type Promised = {
  side: Side
  kind: DeliveryKind
  /** An address; null: the desk as the brands file has it. */
  recipient: string | null
  /** Of a status delivery. */
  status: TicketStatus | null
}

/** A message as far as it decides who is told. */
export type MessageFacts = Visibility & {
  /** Of a mail. */
  authorAddress: string | null
}

/** Who hears an answer. */
export type People = {
  requester: { address: string; proven: boolean }
  /** Addresses, each added by an operator. */
  participants: string[]
}

type Policy = Pick<Brand, 'mail' | 'answers' | 'private' | 'desk'>

/**
 * Which deliveries a message makes. What a customer or a participant says goes to the desk, an agent's answer to
 * the requester and the participants by mail. A note, what a machine wrote and what is held go nowhere; of an
 * answer that came by mail and is held, its agent is told. An address that refused mail for good is promised it all
 * the same: that is refused before it is attempted (deliveries/attempt.ts), so that nobody takes the answer for told.
 */
export function promisesOfMessage(brand: Policy, message: MessageFacts, people: People): Promised[] {
  if (!isVisibleToCustomer(message)) return returnedTo(brand, message)
  switch (message.author) {
    case 'customer':
    case 'participant':
      return [{ side: 'desk', kind: 'message', recipient: null, status: null }]
    case 'agent':
      return answersTo(brand, people)
    default:
      return []
  }
}

/** Whether {@link promisesOfMessage} looks at the people for this message. */
export function needsPeople(brand: Policy, message: MessageFacts): boolean {
  return brand.mail !== null && message.author === 'agent' && isVisibleToCustomer(message)
}

/** A webhook desk keeps its own record of a ticket, and is told what it did not do itself. */
export function promisesOfStatus(desk: Brand['desk'], status: TicketStatus, actor: string): Promised[] {
  if (desk.connector !== 'webhook' || actor === 'desk') return []
  return [{ side: 'desk', kind: 'status', recipient: null, status }]
}

function returnedTo(brand: Policy, { author, automatic, heldFor, authorAddress }: MessageFacts): Promised[] {
  if (author !== 'agent' || heldFor === null || automatic) return []
  if (authorAddress === null || brand.desk.connector !== 'smtp') return []
  return [{ side: 'desk', kind: 'returned', recipient: authorAddress, status: null }]
}

function answersTo(brand: Policy, people: People): Promised[] {
  if (brand.mail === null) return []
  const proven = new Map([[comparableAddress(people.requester.address), people.requester.proven]])
  for (const participant of people.participants) proven.set(comparableAddress(participant), true)
  return [...proven].map(([address, isProven]) => {
    const wholly = !brand.private && (brand.answers === 'always' || isProven)
    return { side: 'customer', kind: wholly ? 'message' : 'notice', recipient: address, status: null }
  })
}
