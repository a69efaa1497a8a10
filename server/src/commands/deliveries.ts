import { userInfo } from 'node:os'
import { parseDuration } from '../config/duration.ts'
import { readEnvironment } from '../config.ts'
import { checkSchema, MIGRATIONS } from '../database/migrations.ts'
import { openDatabase, type Sql } from '../database/pool.ts'
import {
  type AttemptLine,
  type DeliveryLine,
  listDeliveries,
  retryDeliveries,
  showDelivery,
} from '../deliveries/delivery.report.ts'
import type { DeliveryState } from '../deliveries/delivery.store.ts'
import { OperatorError } from '../errors.ts'
import { fromId, toId } from '../ids.ts'
import { createLog } from '../log.ts'
import { withEndpoint } from './endpoint.ts'
import { hold, holdNotice, release } from './hold.ts'
import { formatTable, toTime } from './table.ts'

const STATES: DeliveryState[] = ['pending', 'leased', 'delivered', 'rejected', 'dead']
/** What a list is of unless a state is named: all that needs somebody's eye or patience. */
const UNDELIVERED: DeliveryState[] = ['pending', 'leased', 'rejected', 'dead']
const FAILED: DeliveryState[] = ['rejected', 'dead']

export type ListOptions = {
  state?: string
  brand?: string
  olderThan?: string
  limit: string
  json?: boolean
}

/** `bellhop deliveries [list]` */
export async function listCommand(options: ListOptions, out: NodeJS.WritableStream): Promise<void> {
  const filter = {
    states: options.state === undefined ? UNDELIVERED : [readState(options.state, STATES)],
    brandId: options.brand ?? null,
    minimumAge: readAge(options.olderThan),
    limit: readLimit(options.limit),
  }
  await withDatabase(async (sql) => {
    const lines = await listDeliveries(sql, filter)
    if (options.json) {
      out.write(`${JSON.stringify(lines.map(toJson), null, 2)}\n`)
      return
    }
    const notice = await holdNotice(sql)
    if (notice !== '') out.write(`Note: ${notice}\n`)
    if (lines.length === 0) out.write('No such delivery.\n')
    else out.write(formatTable(HEADINGS, lines.map(toCells)))
  })
}

/** `bellhop deliveries show ID` */
export async function showCommand(
  id: string,
  options: { json?: boolean },
  out: NodeJS.WritableStream,
): Promise<void> {
  const uuid = readId(id)
  await withDatabase(async (sql) => {
    const found = await showDelivery(sql, uuid)
    if (found === null) throw new OperatorError('There is no delivery with this id.')
    if (options.json) {
      const attempts = found.attempts.map(attemptToJson)
      out.write(`${JSON.stringify({ ...toJson(found.delivery), attempts_made: attempts }, null, 2)}\n`)
      return
    }
    for (const [name, value] of Object.entries(toJson(found.delivery)))
      out.write(`${name.padEnd(14)}${value ?? '-'}\n`)
    if (found.attempts.length === 0) out.write('\nNo attempt has ended yet.\n')
    else out.write(`\n${formatTable(ATTEMPT_HEADINGS, found.attempts.map(toAttemptCells))}`)
  })
}

export type RetryOptions = { state?: string; brand?: string; json?: boolean }

/** `bellhop deliveries retry [ID...]` */
export async function retryCommand(
  ids: string[],
  options: RetryOptions,
  out: NodeJS.WritableStream,
): Promise<void> {
  if (ids.length === 0 && options.state === undefined) {
    throw new OperatorError('Name the deliveries to try again by their ids, or all of a state: --state dead')
  }
  if (ids.length > 0 && (options.state !== undefined || options.brand !== undefined)) {
    throw new OperatorError('Name deliveries by their ids or by --state and --brand, not both.')
  }
  const which =
    ids.length > 0
      ? { ids: ids.map(readId) }
      : { states: [readState(options.state ?? '', FAILED)], brandId: options.brand ?? null }
  await withDatabase(async (sql) => {
    const retried = await sql.begin((transaction) => retryDeliveries(transaction, userInfo().username, which))
    const revived = retried.map((uuid) => toId('dlv', uuid))
    if (options.json) out.write(`${JSON.stringify({ retried: revived }, null, 2)}\n`)
    else out.write(`${revived.map((id) => `${id}\n`).join('')}${revived.length} will be tried again.\n`)
    if (revived.length < ids.length) {
      throw new OperatorError(
        `${ids.length - revived.length} of the deliveries named are not there, or neither rejected nor dead.`,
      )
    }
  })
}

/** `bellhop deliveries hold` */
export async function holdCommand(out: NodeJS.WritableStream): Promise<void> {
  await withDatabase((sql) => hold(sql, out))
}

/** `bellhop deliveries release` */
export async function releaseCommand(out: NodeJS.WritableStream): Promise<void> {
  await withDatabase((sql) => release(sql, out))
}

async function withDatabase(work: (sql: Sql) => Promise<void>): Promise<void> {
  const environment = readEnvironment(process.env)
  const log = createLog({ level: 'silent', pretty: false })
  await withEndpoint(environment, 'bellhop deliveries', log, async (endpoint) => {
    const database = openDatabase(endpoint, {
      max: 1,
      applicationName: 'bellhop deliveries',
      statementTimeout: 60_000,
    })
    try {
      await checkSchema(database.sql, MIGRATIONS)
      await work(database.sql)
    } finally {
      await database.close()
    }
  })
}

function readState(text: string, allowed: DeliveryState[]): DeliveryState {
  const state = allowed.find((one) => one === text)
  if (state === undefined) throw new OperatorError(`--state: expected one of ${allowed.join(', ')}`)
  return state
}

function readAge(text: string | undefined): number {
  const age = text === undefined ? 0 : parseDuration(text)
  if (age === null) throw new OperatorError('--older-than: expected a duration like 90s, 15m, 2h or 1d')
  return age / 1000
}

function readLimit(text: string): number {
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0
  if (limit < 1) throw new OperatorError('--limit: expected a whole number from 1 to 999999')
  return limit
}

function readId(id: string): string {
  const uuid = fromId('dlv', id)
  if (uuid === null) throw new OperatorError('Expected the id of a delivery: dlv_ and 32 hexadecimal digits')
  return uuid
}

const HEADINGS = [
  'DELIVERY',
  'STATE',
  'BRAND',
  'TO',
  'KIND',
  'BY',
  'ATTEMPTS',
  'LAST',
  'CREATED',
  'NEXT',
  'TICKET',
]

function toCells(line: DeliveryLine): string[] {
  return [
    toId('dlv', line.deliveryId),
    line.state,
    line.brandId,
    line.side,
    line.kind,
    line.connector,
    String(line.attempts),
    line.code ?? '-',
    toTime(line.createdAt),
    toTime(line.dueAt),
    toId('tkt', line.ticketId),
  ]
}

const ATTEMPT_HEADINGS = ['ATTEMPT', 'OUTCOME', 'CODE', 'TOOK', 'ENDED', 'THE DESK SAID']

function toAttemptCells(line: AttemptLine): string[] {
  return [
    String(line.number),
    line.outcome,
    line.code,
    line.durationMs === null ? '-' : `${line.durationMs} ms`,
    toTime(line.endedAt),
    // One line of a table, and nothing that moves a terminal's cursor.
    (line.answer ?? '-').replace(/[\p{Cc}\p{Cf}]+/gu, ' '),
  ]
}

function toJson(line: DeliveryLine): Record<string, string | number | null> {
  return {
    delivery_id: toId('dlv', line.deliveryId),
    ticket_id: toId('tkt', line.ticketId),
    message_id: toId('msg', line.messageId),
    brand_id: line.brandId,
    side: line.side,
    kind: line.kind,
    connector: line.connector,
    state: line.state,
    attempts: line.attempts,
    last_outcome: line.outcome,
    last_code: line.code,
    created_at: line.createdAt.toISOString(),
    due_at: line.dueAt?.toISOString() ?? null,
    finished_at: line.finishedAt?.toISOString() ?? null,
  }
}

function attemptToJson(line: AttemptLine): object {
  return {
    number: line.number,
    outcome: line.outcome,
    code: line.code,
    duration_ms: line.durationMs,
    ended_at: line.endedAt.toISOString(),
    answer: line.answer,
  }
}
