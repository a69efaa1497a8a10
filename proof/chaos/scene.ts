import { setTimeout as pause } from 'node:timers/promises'
import { findEmbedded } from '../../server/src/database/embedded/embedded.ts'
import { type Database, type DatabaseEndpoint, openDatabase } from '../../server/src/database/pool.ts'
import { ACME, type BrandsOptions, GLOBEX, writeBrands } from './brands.ts'
import { Callers, type CallersOptions } from './callers.ts'
import { Desk } from './desk.ts'
import type { Check, FaultContext, FaultReport } from './fault.ts'
import { type BellhopProcess, Installation } from './installation.ts'
import { type ChaosIssuer, makeIssuer, type Person } from './issuer.ts'
import { Ledger } from './ledger.ts'
import { PostgresCluster } from './postgres.ts'
import { until } from './processes.ts'

export type SceneOptions = {
  /** Bellhop's embedded one, or a cluster of the row's own behind DATABASE_URL. */
  database: 'embedded' | 'cluster'
  /** Where DATABASE_URL leads, where that is not the cluster itself (a proxy, several hosts). */
  databaseUrl?: (cluster: PostgresCluster) => string | Promise<string>
  /** Settings of the cluster. */
  settings?: Record<string, string>
  /** What the brands file says otherwise. */
  brands?: Partial<BrandsOptions>
  /** Writes another brands file than that of acme and globex, whose desks are then the row's own. @returns its path */
  writeBrandsFile?: (issuer: ChaosIssuer) => Promise<string>
  /** Further variables for Bellhop. */
  environment?: Record<string, string>
  /** How many people file; 100 unless told. */
  persons?: number
}

/** What most rows need: an installation, its database, its desks, people who file, and a ledger. */
export type Scene = {
  context: FaultContext
  installation: Installation
  /** Null where the database is the embedded one. */
  cluster: PostgresCluster | null
  desk: Desk
  issuer: ChaosIssuer
  persons: Person[]
  ledger: Ledger
  /** Starts `bellhop start`, to which the callers go from now on. */
  start(...options: Parameters<Installation['spawn']>): Promise<BellhopProcess>
  /** The one that was started last. */
  bellhop(): BellhopProcess
  /** Callers, who are gone at the end of the scene at the latest. */
  call(options: { callers: number } & Partial<CallersOptions>): Callers
  /** A pool of the row's own on the database, that is closed after the scene. */
  database(): Promise<Database>
  /**
   * Waits until all is carried, compares, and lets `doctor --deep` look. Bellhop must run, and the callers be
   * gone.
   */
  account(options?: AccountOptions): Promise<Account>
}

export type AccountOptions = {
  /** Statuses besides 201 and 503 that the callers may have got. */
  allowed?: number[]
  /** Milliseconds without anything arriving after which it is given up; 60,000 unless told. */
  patience?: number
  /** The leases of processes that are dead end now, and not in half a minute; so in the short form. */
  expireLeases?: boolean
  /** True where a day may have passed by the database's clock, after which idempotency keys are swept. */
  keysMayEnd?: boolean
  /** Tells what came, where the tickets went to a desk of the row's own; null where the inbox is their desk. */
  desk?: Pick<Desk, 'report'> | null
}

export type Account = Pick<FaultReport, 'acknowledged' | 'present' | 'arrived' | 'doubles' | 'checks'>

/** Sets the scene, runs a row in it, and clears everything away, whatever happens. */
export async function withScene<T>(
  context: FaultContext,
  options: SceneOptions,
  run: (scene: Scene) => Promise<T>,
): Promise<T> {
  await using endings = new AsyncDisposableStack()
  const { folder, signal } = context
  const desk = await Desk.start(folder)
  endings.defer(() => desk.stop())
  const issuer = await makeIssuer(folder)
  const { smtpPort, webhookPort } = desk
  const brandsFile =
    (await options.writeBrandsFile?.(issuer)) ??
    (await writeBrands(folder, issuer, { smtpPort, webhookPort, ...options.brands }))
  const cluster = options.database === 'cluster' ? await startCluster(context, options, endings) : null
  const databaseUrl = cluster && ((await options.databaseUrl?.(cluster)) ?? cluster.url)
  const { environment = {} } = options
  const installation = new Installation({ folder, brandsFile, databaseUrl, environment })
  endings.defer(() => installation.close())
  const persons = await issuer.persons(options.persons ?? 100)
  const ledger = new Ledger()
  let current: BellhopProcess | null = null
  const scene: Scene = {
    context,
    installation,
    cluster,
    desk,
    issuer,
    persons,
    ledger,
    async start(command, how) {
      signal.throwIfAborted()
      current = installation.spawn(command, how)
      await current.ready()
      return current
    },
    bellhop() {
      if (current === null) throw new Error('it was not started')
      return current
    },
    call(how) {
      const port = () => current?.port ?? null
      const callers = new Callers({ port, persons, brands: [ACME, GLOBEX], ledger, ...how })
      endings.defer(() => callers.abandon())
      return callers
    },
    async database() {
      const database = openDatabase(await endpointOf(scene), { max: 2, applicationName: 'chaos' })
      endings.defer(() => database.close())
      return database
    },
    account: (how) => account(scene, how),
  }
  signal.throwIfAborted()
  // What is told to stop leaves by the next wait; its callers and processes go now, so that nothing waits for them.
  const onAbort = () => {
    for (const one of installation.running) void one.kill()
  }
  signal.addEventListener('abort', onAbort)
  endings.defer(() => signal.removeEventListener('abort', onAbort))
  return await run(scene)
}

async function startCluster(
  { folder }: FaultContext,
  { settings }: SceneOptions,
  endings: AsyncDisposableStack,
): Promise<PostgresCluster> {
  const cluster = await PostgresCluster.make(`${folder}/postgresql`, settings)
  endings.defer(() => cluster.stop())
  await cluster.start()
  return cluster
}

async function endpointOf({ cluster, installation }: Scene): Promise<DatabaseEndpoint> {
  if (cluster !== null) return { kind: 'url', url: cluster.url }
  return until('the embedded database answers', () => findEmbedded(installation.dataDir))
}

async function account(scene: Scene, options: AccountOptions = {}): Promise<Account> {
  const { context, installation, ledger } = scene
  const { desk = scene.desk } = options
  const database = openDatabase(await endpointOf(scene), {
    max: 2,
    applicationName: 'chaos',
    statementTimeout: 120_000,
  })
  try {
    if (options.expireLeases ?? context.form === 'short') await expireLeases(database, installation)
    const undelivered = await untilCarried(database, context, options.patience ?? 60_000)
    const comparison = await ledger.compare(database.sql, desk && (await desk.report()), options)
    const doctor = await installation.run('doctor', '--deep')
    if (doctor.status !== 0) context.say(doctor.output.trim())
    return {
      ...comparison,
      checks: [
        ...comparison.checks,
        { what: 'deliveries not delivered', seen: String(undelivered), ok: undelivered === 0 },
        ...ledger.answerChecks(options.allowed),
        doctorCheck(doctor),
      ],
    }
  } finally {
    await database.close()
  }
}

export async function expireLeases({ sql }: Database, { running }: Installation): Promise<void> {
  // A holder is host:pid:random.
  const alive = JSON.stringify(running.map(({ pid }) => String(pid)))
  await sql`
    update deliveries set due_at = now()
    where state = 'leased' and due_at > now() and split_part(locked_by, ':', 2) not in (select json_array_elements_text(${alive}::text::json))`
  await sql`
    update inbound_mails set due_at = now()
    where locked_by is not null and due_at > now() and split_part(locked_by, ':', 2) not in (select json_array_elements_text(${alive}::text::json))`
}

/** @returns how many deliveries are left when nothing has moved for too long */
export async function untilCarried(
  database: Database,
  { signal, say }: FaultContext,
  patience: number,
): Promise<number> {
  let left = Number.POSITIVE_INFINITY
  let movedAt = performance.now()
  let saidAt = movedAt
  for (;;) {
    signal.throwIfAborted()
    const [row] = await database.sql<{ left: number }[]>`
      select count(*)::int as left from deliveries where state in ('pending', 'leased')`
    const now = row?.left ?? 0
    if (now === 0) return 0
    if (now < left) {
      left = now
      movedAt = performance.now()
      if (movedAt - saidAt > 5000) {
        say(`${left} still to be carried`)
        saidAt = movedAt
      }
    } else if (performance.now() - movedAt > patience) return now
    await pause(left > 1000 ? 500 : 100)
  }
}

export function doctorCheck({ status, output }: { status: number | null; output: string }): Check {
  if (status === 0) return { what: 'doctor --deep', seen: 'all invariants hold', ok: true }
  const failed = output.split('\n').filter((line) => /FAIL/.test(line))
  return { what: 'doctor --deep', seen: failed.join('; ') || `status ${status}`, ok: false }
}
