import { userInfo } from 'node:os'
import { type Brand, type Config, loadConfig } from '../config.ts'
import type { Connector } from '../connectors/connector.ts'
import { createConnector } from '../connectors/registry.ts'
import type { Actor, ConversationDeps } from '../conversation/conversation.ts'
import { findTicket, type TicketLine } from '../conversation/ticket.report.ts'
import { checkSchema, MIGRATIONS } from '../database/migrations.ts'
import { type Executor, openDatabase, type Sql } from '../database/pool.ts'
import { AppError, OperatorError } from '../errors.ts'
import { fromId, type IdPrefix } from '../ids.ts'
import { createLog } from '../log.ts'
import { withEndpoint } from './endpoint.ts'

/** What the commands about tickets work with. */
export type TicketShell = { sql: Sql; config: Config; conversation: ConversationDeps; operator: Actor }

/**
 * Does one thing on the database, as the operator at the shell.
 * @throws OperatorError, also where what is asked for cannot be done
 */
export async function withTickets(work: (shell: TicketShell) => Promise<void>): Promise<void> {
  const config = await loadConfig(process.env)
  const log = createLog({ level: 'silent', pretty: false })
  await withEndpoint(config.environment, 'bellhop ticket', log, async (endpoint) => {
    const database = openDatabase(endpoint, {
      max: 1,
      applicationName: 'bellhop ticket',
      statementTimeout: 60_000,
    })
    const connectors = new Map<string, Connector>()
    try {
      await checkSchema(database.sql, MIGRATIONS)
      const { sql } = database
      await work({ sql, config, conversation: conversationOf(config, connectors), operator: operatorOf() })
    } catch (error) {
      throw error instanceof AppError ? new OperatorError(error.message) : error
    } finally {
      for (const connector of connectors.values()) await connector.close()
      await database.close()
    }
  })
}

/** Nothing is sent from here: a connector only says what a promise to its desk is. */
function conversationOf({ brands }: Config, connectors: Map<string, Connector>): ConversationDeps {
  const byId = new Map(brands.brands.map((brand) => [brand.id, brand]))
  return {
    brands: byId,
    connectorOf(brandId) {
      const known = connectors.get(brandId)
      if (known !== undefined) return known
      const connector = createConnector(brandIn(byId, brandId), { now: Date.now })
      connectors.set(brandId, connector)
      return connector
    },
  }
}

function brandIn(brands: ReadonlyMap<string, Brand>, brandId: string): Brand {
  const brand = brands.get(brandId)
  if (brand === undefined) throw new OperatorError(`BRANDS_FILE: expected a brand with the id ${brandId}`)
  return brand
}

/** The operating system's name of whoever runs the command; a container may have a number only. */
function operatorOf(): Actor {
  try {
    return { actor: 'operator', actorId: userInfo().username }
  } catch {
    return { actor: 'operator', actorId: `uid ${process.getuid?.() ?? 'unknown'}` }
  }
}

/** @throws OperatorError where there is no such ticket */
export async function ticketAt(sql: Executor, ticketId: string): Promise<TicketLine> {
  const ticket = await findTicket(sql, ticketId)
  if (ticket === null) throw new OperatorError('There is no ticket with this id.')
  return ticket
}

/**
 * The brand of a ticket, for whoever speaks on it. A shell in which BRANDS_FILE is not set would take a demo brand for
 * the real one, and mail nothing.
 * @throws OperatorError where the brands file is not that of the server
 */
export function brandOfTicket({ config, conversation }: TicketShell, ticket: TicketLine): Brand {
  const brand = brandIn(conversation.brands, ticket.brandId)
  const isOfDemo = ticket.issuer === null || brand.issuers.includes(ticket.issuer)
  if (config.demo && !isOfDemo)
    throw new OperatorError('BRANDS_FILE: expected that of the server, since the ticket is of no demo brand')
  return brand
}

/** @throws OperatorError */
export function readId(prefix: IdPrefix, id: string): string {
  const uuid = fromId(prefix, id)
  if (uuid === null) throw new OperatorError(`Expected an id: ${prefix}_ and 32 hexadecimal digits`)
  return uuid
}
