import { readdirSync, readlinkSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { Database } from '../../server/src/database/pool.ts'
import type { Outcome } from './callers.ts'
import type { Check, FaultReport } from './fault.ts'
import { count } from './ledger.ts'
import { until } from './processes.ts'
import { whole } from './random.ts'
import type { Scene } from './scene.ts'
import { WATCHERS, Watch } from './watch.ts'

/** They call gently, so that the row can run beside others: what is asked is not how much, but what happens. */
const CALLERS = 16
const PER_SECOND = 5
/** Milliseconds in which the database is well between two outages, at most. */
const LIFE_MS = 1000
/** Milliseconds in which tickets are acknowledged again once the database is back. */
const RECOVERY_MS = 5000
/** Milliseconds in which a caller is told that the database is away: the 5 s of docs/operations.md, and a moment. */
const TOLD_MS = 6000
/** Milliseconds of an outage after which those who ask are told of it. */
const FELT_MS = 5500

/** One way in which the database is away. */
export type Outage = {
  /** As the checks name it. */
  name: string
  /** Takes it away. @returns what brings it back */
  begin(): Promise<() => void | Promise<void>>
  /** What is left to do when tickets are kept again. */
  after?(): void
  /** How long it is away, in milliseconds. */
  ms: number
  /** True where no ticket can be kept meanwhile: one that was begun in the outage and answered in it would be a lie. */
  total: boolean
}

/** Makes the outages one after the other while callers file tickets, and looks at what must hold of each. */
export async function makeOutages(
  scene: Scene,
  outages: (index: number) => Outage,
  { pool }: { pool: number },
): Promise<FaultReport> {
  const { context, ledger } = scene
  const { random, say, signal, times } = context
  const bellhop = await scene.start()
  const database = await scene.database()
  const seen = new Seen()
  const callers = scene.call({ callers: CALLERS, perSecond: PER_SECOND, observe: (end) => seen.note(end) })
  await using endings = new AsyncDisposableStack()
  const watch = new Watch(() => bellhop.port)
  endings.defer(() => watch.stop())
  await until('the first tickets', () => ledger.acknowledged > 50, { signal })
  const before = await connectionsOf(database, bellhop.pid)
  // Those who ask have gone when it is counted again.
  before.others -= CALLERS + WATCHERS
  for (let index = 0; index < times; index++) {
    const outage = outages(index)
    const back = await outage.begin()
    const began = performance.now()
    try {
      seen.begin(outage)
      await pause(outage.ms, undefined, { signal })
      if (outage.ms > FELT_MS) await watch.readyz(503, 10_000, signal)
    } finally {
      seen.end(outage, began)
      await back()
    }
    const backAt = performance.now()
    await until('a ticket is acknowledged again', () => seen.lastFiledAt > backAt, {
      ms: 60_000,
      every: 5,
      signal,
    })
    seen.recovered(outage, seen.firstFiledAfter(backAt) - backAt)
    outage.after?.()
    await watch.readyz(200, 10_000, signal)
    if ((index + 1) % 10 === 0) say(`${index + 1} outages, ${ledger.acknowledged} acknowledged`)
    await pause(whole(random, LIFE_MS / 2, LIFE_MS), undefined, { signal })
  }
  await callers.stop()
  await watch.stop()
  // A statement that nobody waits for any more may still hold its key.
  const account = await scene.account({ allowed: [409] })
  const { isRunning } = bellhop
  const after = await settledConnections(database, bellhop.pid, { before, pool })
  return {
    times,
    ...account,
    checks: [
      ...seen.checks(),
      ...watch.checks(),
      {
        what: `connections to the database before → after (pool ${pool})`,
        seen: `${before.database} → ${after.database}`,
        ok: after.database <= pool,
      },
      {
        what: "sockets of Bellhop besides the callers' and the database's, before → after",
        seen: `${before.others} → ${after.others}`,
        ok: after.others <= before.others,
      },
      { what: 'Bellhop ran on', seen: isRunning ? 'yes' : 'no', ok: isRunning },
      ...account.checks,
    ],
  }
}

/** What the callers saw of the outages. */
class Seen {
  lastFiledAt = Number.NEGATIVE_INFINITY
  #filed: number[] = []
  #current: { outage: Outage; since: number } | null = null
  #impossible = 0
  #refused = 0
  #unanswered = 0
  /** Milliseconds, of the refusals and of all other answers. */
  #slowest = { refusal: 0, other: 0 }
  #unfelt = 0
  #refusedInThis = 0
  readonly #recoveries = new Map<string, number>()

  note({ answer, sentAt, endedAt }: Outcome): void {
    const kind = typeof answer !== 'string' && answer.status === 503 ? 'refusal' : 'other'
    this.#slowest[kind] = Math.max(this.#slowest[kind], endedAt - sentAt)
    if (typeof answer === 'string') this.#unanswered++
    else if (answer.status === 503) {
      this.#refused++
      this.#refusedInThis++
    } else if (answer.status === 201) {
      this.lastFiledAt = endedAt
      this.#filed.push(endedAt)
      if (this.#current?.outage.total && sentAt > this.#current.since) this.#impossible++
    }
  }

  begin(outage: Outage): void {
    this.#current = { outage, since: performance.now() }
    this.#refusedInThis = 0
  }

  end({ ms }: Outage, began: number): void {
    this.#current = null
    this.#filed = []
    if (ms > FELT_MS && performance.now() - began > FELT_MS && this.#refusedInThis === 0) this.#unfelt++
  }

  firstFiledAfter(moment: number): number {
    return this.#filed.find((at) => at > moment) ?? this.lastFiledAt
  }

  recovered({ name }: Outage, ms: number): void {
    this.#recoveries.set(name, Math.max(this.#recoveries.get(name) ?? 0, ms))
  }

  checks(): Check[] {
    return [
      count('acknowledged while nothing could be kept', this.#impossible),
      { what: 'answers 503', seen: String(this.#refused), ok: true },
      count('outages of which no caller was told', this.#unfelt),
      count('requests without an answer', this.#unanswered),
      { what: 'slowest 503', seen: seconds(this.#slowest.refusal), ok: this.#slowest.refusal < TOLD_MS },
      // Asked in the last moment of an outage, it waits for the database, for its key's first holder, and for its desk.
      { what: 'slowest answer of another kind', seen: seconds(this.#slowest.other), ok: true },
      ...[...this.#recoveries].map(([name, ms]) => ({
        what: `longest time to the first ticket after it was ${name}`,
        seen: seconds(ms),
        ok: ms < RECOVERY_MS,
      })),
    ]
  }
}

type Connections = { database: number; others: number }

async function connectionsOf({ sql }: Database, pid: number): Promise<Connections> {
  const [row] = await sql<{ sessions: number }[]>`
    select count(*)::int as sessions from pg_stat_activity where application_name like 'bellhop%'`
  const sessions = row?.sessions ?? 0
  return { database: sessions, others: socketsOf(pid) - sessions }
}

/** Pools that were replaced linger for some seconds; what is left after that stays. */
async function settledConnections(
  database: Database,
  pid: number,
  { before, pool }: { before: Connections; pool: number },
): Promise<Connections> {
  const limit = performance.now() + 30_000
  for (;;) {
    const now = await connectionsOf(database, pid)
    if (now.database <= pool && now.others <= before.others) return now
    if (performance.now() > limit) return now
    await pause(250)
  }
}

function socketsOf(pid: number): number {
  const folder = `/proc/${pid}/fd`
  return readdirSync(folder).filter((fd) => {
    try {
      return readlinkSync(`${folder}/${fd}`).startsWith('socket:')
    } catch {
      // Closed while we looked.
      return false
    }
  }).length
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
