import type { Brand } from '../config.ts'
import type { Connector } from '../connectors/connector.ts'

export type { TicketStatus } from '../connectors/connector.ts'

/** What the conversation knows of the brands. */
export type ConversationDeps = {
  brands: Map<string, Brand>
  /** Of the brand's desk. */
  connectorOf(brandId: string): Connector
}

/** Who does something: as the audit entry names them. */
export type Actor = {
  actor: 'person' | 'client' | 'desk' | 'sender' | 'operator' | 'system'
  /** The client's id or the operating system's user name; null for whom the ticket names. */
  actorId: string | null
}

/** @throws Error where the brand is not in the brands file: nothing can be said for it */
export function brandOf(deps: ConversationDeps, brandId: string): Brand {
  const brand = deps.brands.get(brandId)
  if (brand === undefined) throw new Error('something was said for a brand that is not configured')
  return brand
}
