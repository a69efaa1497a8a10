import { acceptance } from './acceptance.ts'
import { attachments } from './attachments.ts'
import { carrying } from './carrying.ts'
import { claims } from './claims.ts'
import { conversation } from './conversation.ts'
import { events } from './events.ts'
import { footprint } from './footprint.ts'
import type { Group } from './group.ts'
import { growth } from './growth.ts'
import { inbound } from './inbound.ts'
import { opaque } from './opaque.ts'
import { settling } from './settling.ts'

/** In the page's order. */
export const GROUPS: Group[] = [
  acceptance,
  opaque,
  attachments,
  inbound,
  settling,
  footprint,
  carrying,
  claims,
  conversation,
  events,
  growth,
]
