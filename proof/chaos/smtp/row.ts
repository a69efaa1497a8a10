import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Sql } from '../../../server/src/database/pool.ts'
import { SELF_SIGNED } from '../../../server/test/connectors/self-signed.ts'
import type { Fault, FaultContext, FaultReport } from '../fault.ts'
import { type Scene, withScene } from '../scene.ts'
import { countDeliveries, countEnds } from './attempts.store.ts'
import { FaultyDesks } from './faulty-desks.ts'
import { ask, type FilingOptions, fileTickets } from './filing.ts'
import { brandIds, writeManyBrands } from './many-brands.ts'
import { planStrikes } from './plan.ts'
import { freePorts } from './ports.ts'
import { judge } from './verdict.ts'
import type { Ways } from './ways.ts'

export type SmtpFault = Pick<Fault, 'id' | 'title' | 'times'> & {
  /** Null: nothing listens, until so many attempts have met that, and half of the desks' probes too. */
  ways: Ways | null
  /** As the brands file says it; 0s unless told. */
  wait?: string
  /** Of a hundred tickets, how many are large. */
  largeInHundred?: number
  /** Processes of `bellhop worker` beside the one that files and carries: for attempts that take long. */
  workers?: number
}

/** What is known of a run when it is over. */
export type SmtpRun = {
  scene: Scene
  sql: Sql
  desks: FaultyDesks
  fault: SmtpFault
  /** Seconds from when the last fault had been met to the last delivery's end, to within a quarter of one. */
  recovered: number
}

/** Tickets and strikes of one desk: as many as open its circuit breaker, and in the short form fewer. */
const EACH = { long: 5, short: 2 }
const LIMIT_MS = 10 * 60_000

/** A row: callers file tickets while the desks of their brands fail, each at its own moments. */
export function smtpFault(fault: SmtpFault): Fault {
  const { id, title, times } = fault
  return { id, title, times, run: (context) => run(context, fault) }
}

async function run(context: FaultContext, fault: SmtpFault): Promise<FaultReport> {
  const { folder, random, times, form } = context
  const { ways, wait = '0s', workers = 0 } = fault
  const each = EACH[form]
  const brands = brandIds(Math.ceil(times / each))
  const plan = ways === null ? brands.map(() => []) : planStrikes(random, ways, times, each)
  const ports = await freePorts(random, brands.length)
  const tls = ways?.tls === true
  const trusted = join(folder, 'trusted.pem')
  await writeFile(trusted, SELF_SIGNED.cert)
  await using desks = await FaultyDesks.start(folder, { ports, plan, tls })
  if (ways !== null) await desks.ask('listen')
  return await withScene(
    context,
    {
      database: 'cluster',
      writeBrandsFile: (issuer) => writeManyBrands(issuer, { folder, ports, tls, wait }),
      environment: { NODE_EXTRA_CA_CERTS: trusted },
    },
    async (scene) => {
      const { port } = await scene.start()
      for (let worker = 0; worker < workers; worker++) await scene.installation.start('worker')
      if (port === null) throw new Error('it does not answer')
      const { sql } = await scene.database()
      const { persons, ledger } = scene
      const filing: FilingOptions = { port, persons, ledger, signal: context.signal }
      const large = Math.ceil((brands.length * each * (fault.largeInHundred ?? 0)) / 100)
      const tickets = await fileTickets(brands, each, large, filing)
      context.say(`${tickets.length} filed at ${brands.length} desks`)
      const metAt = await untilMet(scene, sql, desks, ways === null ? times + brands.length / 2 : null)
      if (ways === null) await desks.ask('listen')
      await untilDelivered(scene, sql)
      const recovered = (performance.now() - metAt) / 1000
      // What was refused for good is told by the same key, now that it has gone out after all.
      await ask(
        tickets.filter(({ status }) => status === 400),
        filing,
      )
      return judge({ scene, sql, desks, fault, recovered })
    },
  )
}

/** Until every strike of the plan was made, or so many attempts have failed. @returns when, by `performance.now()` */
async function untilMet(
  { context, ledger }: Scene,
  sql: Sql,
  desks: FaultyDesks,
  failures: number | null,
): Promise<number> {
  const met = async () => {
    if (failures === null) return (await desks.ask('strikes')).struck
    return [...(await countEnds(sql)).values()].reduce((sum, count) => sum + count, 0)
  }
  const wanted = failures ?? context.times
  const tell = seldom(context.say)
  for (const limit = performance.now() + LIMIT_MS; ; await pause(250)) {
    context.signal.throwIfAborted()
    const count = await met()
    if (count >= wanted) return performance.now()
    // What was refused for good meets no fault any more until it is tried again.
    const { waiting, rejected } = await countDeliveries(sql)
    if (waiting === 0 && rejected > 0) return performance.now()
    tell(`${count} of ${wanted} met, ${ledger.acknowledged} acknowledged`)
    if (performance.now() > limit) throw new Error(`only ${count} of ${wanted} faults were met`)
  }
}

/** Has what was refused for good tried again, as its operator does, until all has gone out. */
async function untilDelivered({ context, installation }: Scene, sql: Sql): Promise<void> {
  const tell = seldom(context.say)
  for (const limit = performance.now() + LIMIT_MS; ; await pause(250)) {
    context.signal.throwIfAborted()
    const { undelivered, rejected, waiting } = await countDeliveries(sql)
    if (undelivered === 0) return
    if (waiting === 0 && rejected > 0) {
      context.say(`${rejected} were refused for good and are tried again`)
      const { status, output } = await installation.run('deliveries', 'retry', '--state', 'rejected')
      if (status !== 0) throw new Error(`deliveries retry ended with ${status}: ${output.slice(-500)}`)
    } else tell(`${undelivered} still to be carried`)
    if (performance.now() > limit) throw new Error(`${undelivered} are still to be carried`)
  }
}

/** Says a line at most every five seconds. */
function seldom(say: (line: string) => void): (line: string) => void {
  let saidAt = performance.now()
  return (line) => {
    if (performance.now() - saidAt < 5000) return
    saidAt = performance.now()
    say(line)
  }
}
