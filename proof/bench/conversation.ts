import { execFile } from 'node:child_process'
import { statfs } from 'node:fs/promises'
import { promisify } from 'node:util'
import { toId } from '../../server/src/ids.ts'
import { type NextRequest, openLoad, percentile, rateOf } from '../load.ts'
import type { ProofRow } from '../page.ts'
import { type Holder, holdersOf, listsOf, readsOf } from '../requests.ts'
import { startBellhop } from '../servers.ts'
import { median } from '../table.ts'
import { takeTurn } from './contest.ts'
import { BYTES_PER_TICKET, FILLING, fill } from './fill.ts'
import { type BenchContext, type Group, onStage } from './group.ts'
import { type BenchDatabase, startPostgres, withSql } from './postgres.ts'

/** Tickets at which the goals are set: fewer are no proof of them. */
const JUDGED = 1_000_000
const PERSONS = 100_000
/** Persons who ask in turn: more than are remembered, so that each token is judged anew. */
const ASKING = 20_000
const PER_SECOND = 200
/** Milliseconds within which nineteen of twenty are answered. */
const GOAL = 10
const SPARE = 2 * 2 ** 30

type Kind = 'list' | 'page' | 'read'
const KINDS: { kind: Kind; what: string }[] = [
  { kind: 'list', what: 'one’s own tickets, the first page of 20' },
  { kind: 'page', what: 'one’s own open tickets' },
  { kind: 'read', what: 'one ticket' },
]

/** What a customer waits for who looks at their tickets, in a database with very many others. */
export const conversation: Group = {
  id: 'conversation',
  inShort: false,
  async run(context) {
    const { folder, rounds, seconds, say, refusals } = context
    const tickets = Math.min(JUDGED, context.growth)
    const { bavail, bsize } = await statfs(folder)
    if (bavail * bsize < tickets * BYTES_PER_TICKET + SPARE) return [section(context, tickets, noRoom())]
    const database = await makeFilled(context, tickets)
    const environment = { DATABASE_URL: database.url }
    const api = await onStage(context.scene, startBellhop(folder, { command: 'api', environment }))
    const next = await requestsFor(context, database)
    const latencies: Record<Kind, { p50: number; p95: number; p99: number }[]> = {
      list: [],
      page: [],
      read: [],
    }
    for (let round = 0; round <= rounds; round++) {
      say(round === 0 ? 'warming up' : `round ${round} of ${rounds}`)
      for (const { kind } of KINDS) {
        const load = { port: api.port, perSecond: PER_SECOND, seconds, next: next[kind], expected: 200 }
        const result = await takeTurn(() => openLoad(load), refusals)
        rateOf(result)
        const p = (of: number) => percentile(result.latencies, of)
        if (round > 0) latencies[kind].push({ p50: p(50), p95: p(95), p99: p(99) })
      }
    }
    const rows = KINDS.map(({ kind, what }): ProofRow => {
      const of = (name: 'p50' | 'p95' | 'p99') => median(latencies[kind].map((one) => one[name]))
      const p95 = of('p95')
      const ms = (value: number) => `${value.toFixed(1)} ms`
      return {
        id: `conversation.${kind}`,
        cells: [what, ms(of('p50')), ms(p95), ms(of('p99')), `95 of 100 within ${GOAL} ms`],
        verdict: tickets < JUDGED ? null : p95 < GOAL ? 'met' : 'short',
      }
    })
    return [section(context, tickets, rows)]
  },
}

function section({ rounds, seconds }: BenchContext, tickets: number, rows: ProofRow[]) {
  return {
    id: 'conversation',
    title: 'A customer’s own tickets',
    text:
      `In a database with ${tickets.toLocaleString('en')} tickets of ${PERSONS.toLocaleString('en')} persons, made ` +
      `in bulk as for growth, by a \`bellhop api\` of which ${ASKING.toLocaleString('en')} of them ask in turn, every ` +
      `token new. Latencies at ${PER_SECOND} requests a second for ${seconds} s, in an open model: the clock of each ` +
      `starts when it was due. Medians of ${rounds} rounds.`,
    columns: ['', 'half within', '95 of 100', '99 of 100', 'goal'],
    rows,
    order: KINDS.map(({ kind }) => `conversation.${kind}`),
  }
}

function noRoom(): ProofRow[] {
  return KINDS.map(({ kind, what }) => ({
    id: `conversation.${kind}`,
    cells: [what, '', '', '', 'it takes 5 GiB of free disk'],
    verdict: 'not run',
  }))
}

async function makeFilled({ folder, scene, say }: BenchContext, tickets: number): Promise<BenchDatabase> {
  const filling = await onStage(scene, startPostgres(folder, FILLING))
  const database = await filling.create()
  await fill(database.endpoint, tickets, say, PERSONS)
  await filling.stop()
  // What is still to be written would be in the way of what is measured.
  await promisify(execFile)('sync')
  await onStage(scene, startPostgres(folder))
  return database
}

async function requestsFor(
  { folder, seed }: BenchContext,
  { endpoint }: BenchDatabase,
): Promise<Record<Kind, NextRequest>> {
  const rows = await withSql(
    endpoint,
    (sql) => sql<{ id: string; person: string }[]>`
      SELECT id, person FROM (
        SELECT DISTINCT ON (person_id) id, person_id AS person FROM tickets WHERE brand_id = 'acme'
        ORDER BY person_id, md5(id::text || ${String(seed)})
      ) one ORDER BY md5(person || ${String(seed)}) LIMIT ${ASKING}`,
  )
  const holders = await holdersOf(
    folder,
    rows.map(({ person }) => person),
  )
  const asks = rows.map(({ id }, index) => ({ ticketId: toId('tkt', id), token: tokenOf(holders[index]) }))
  return {
    list: listsOf(holders, 'limit=20'),
    page: listsOf(holders, 'limit=20&status=open'),
    read: readsOf(asks),
  }
}

function tokenOf(holder: Holder | undefined): string {
  if (holder === undefined) throw new Error('a person has no token')
  return holder.token
}
