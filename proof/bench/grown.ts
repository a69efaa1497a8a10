import { toId } from '../../server/src/ids.ts'
import { demoHolders, readsOf, ticketsOf } from '../requests.ts'
import { startBellhop } from '../servers.ts'
import { dropBacklog, makeBacklog } from './backlog.ts'
import type { ClaimLoopSettings } from './claim-loop.ts'
import { absolute, type Comparison, ratioCells } from './comparison.ts'
import { compete, type Entrant } from './contest.ts'
import { FILLED_BRANDS } from './fill.ts'
import { loadOf } from './front-door.ts'
import { type BenchContext, onStage } from './group.ts'
import { startPeer } from './peer.ts'
import { type BenchDatabase, withSql } from './postgres.ts'
import type { ReportQuestion } from './report-loop.ts'

const GOAL = 0.9
/** Tickets at which the goal is set: fewer are no proof of it. */
export const JUDGED = 10_000_000
/** Tickets that are read in turn. */
const SAMPLE = 20_000
/** Deliveries for the first look at how many are carried in a second. */
const FIRST_LOOK = 3000

type Side = Record<'accept' | 'claim' | 'read' | 'list' | 'count', Entrant>

/** What a database with so many tickets does, against an empty one beside it. */
export async function measureGrown(
  context: BenchContext,
  full: BenchDatabase,
  empty: BenchDatabase,
  size: number,
  bytes: string,
): Promise<Comparison[]> {
  const sides = { full: await sideOf(context, full), empty: await sideOf(context, empty) }
  const rows: Comparison[] = []
  // Those that add tickets come last.
  for (const [kind, goal] of [
    ['list', GOAL],
    ['count', null],
    ['read', GOAL],
    ['claim', GOAL],
    ['accept', GOAL],
  ] as const) {
    context.say(`${size} tickets: ${kind}`)
    await sides.full[kind]()
    await sides.empty[kind]()
    const rates = await compete(
      { empty: sides.empty[kind], full: sides.full[kind] },
      context.rounds,
      context.refusals,
    )
    const judged = size === JUDGED ? goal : null
    rows.push({
      id: `growth.${kind}.${size}`,
      rates: rates.full,
      floor: rates.empty,
      better: 'higher',
      cells: ({ rate, floor, ratio }) => [
        `${size.toLocaleString('en')} (${bytes})`,
        kind,
        absolute(rate),
        absolute(floor),
        ...ratioCells(ratio),
        judged === null ? '' : `at least ${judged}`,
      ],
      isMet: judged === null ? null : ({ ratio }) => ratio.median >= judged,
    })
  }
  return rows
}

async function sideOf(context: BenchContext, { endpoint, url }: BenchDatabase): Promise<Side> {
  const { folder, scene, seed } = context
  const seconds = context.seconds / 2
  const api = await onStage(
    scene,
    startBellhop(folder, { command: 'api', environment: { DATABASE_URL: url } }),
  )
  const settings: ClaimLoopSettings = { endpoint, brands: FILLED_BRANDS }
  const claims = await onStage(scene, startPeer<null, number, number>('claim-loop.ts', settings))
  const reports = await onStage(
    scene,
    startPeer<null, ReportQuestion, number>('report-loop.ts', { endpoint }),
  )
  const holders = await demoHolders(folder, 'returning')
  const tokens = new Map(holders.map(({ person, token }) => [person, token]))
  const sample = await withSql(
    endpoint,
    (sql) => sql<{ id: string; person: string }[]>`
      SELECT id, person_id AS person FROM tickets WHERE brand_id = 'acme'
      ORDER BY md5(id::text || ${String(seed)}) LIMIT ${SAMPLE}`,
  )
  const reads = readsOf(
    sample.map(({ id, person }) => ({ ticketId: toId('tkt', id), token: tokens.get(person) ?? '' })),
  )
  let backlog = FIRST_LOOK
  return {
    accept: loadOf(api.port, 32, seconds, ticketsOf(holders)),
    read: loadOf(api.port, 8, seconds, reads, 200),
    list: () => reports.ask({ what: 'list', seconds }),
    count: () => reports.ask({ what: 'count', seconds }),
    async claim() {
      await withSql(endpoint, async (sql) => {
        await dropBacklog(sql)
        await makeBacklog(sql, FILLED_BRANDS, backlog)
      })
      const rate = await claims.ask(seconds)
      backlog = Math.ceil(Math.max(backlog, rate * seconds * 2))
      return rate
    },
  }
}
