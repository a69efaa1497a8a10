import { copyFile, mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { MIGRATIONS, migrate, readMigrations } from '../../server/src/database/migrations.ts'
import type { HttpAnswer, NoAnswer } from './caller-connection.ts'
import type { Check, Fault, FaultReport } from './fault.ts'
import { type BellhopProcess, Installation } from './installation.ts'
import { whole } from './random.ts'
import { previousRelease } from './releases.ts'
import { type Scene, withScene } from './scene.ts'
import { countMigrations, layOutRelease, whyNotAtHand } from './versions/old-program.ts'
import { sumOf } from './versions/sum.ts'

const CALLERS = 16
/** Requests in turn to one process before the next one has its turn, as behind a balancer. */
const IN_TURN = 40

export const versions: Fault = {
  id: 'versions',
  title: `two versions at once: ${previousRelease().version} and this one, migrating under load`,
  times: { long: 20, short: null },
  impossible,
  async run(context) {
    const released = join(context.folder, 'previous')
    await layOutRelease(previousRelease(), released)
    const reports: FaultReport[] = []
    const watched: Watched = { failed: new Map(), refused: 0, slowest: 0 }
    for (let time = 1; time <= context.times; time++) {
      const folder = join(context.folder, `upgrade-${time}`)
      await mkdir(folder)
      reports.push(
        await withScene({ ...context, folder }, { database: 'cluster' }, (scene) =>
          upgrade(scene, released, watched),
        ),
      )
      context.say(`${time} upgrades`)
    }
    const sum = sumOf(reports)
    return { ...sum, checks: [...sum.checks, ...watchedChecks(watched)] }
  },
}

async function impossible(): Promise<string | null> {
  const release = previousRelease()
  const why = await whyNotAtHand(release)
  if (why !== null) return why
  const here = await readMigrations(MIGRATIONS)
  if ((await countMigrations(release)) < here.length) return null
  return `${release.version} has every migration that this version has, so that nothing migrates`
}

type Watched = { failed: Map<string, number>; refused: number; slowest: number }

/** The release before serves and carries, the schema moves under it, this program joins it, and it leaves. */
async function upgrade(scene: Scene, released: string, watched: Watched): Promise<FaultReport> {
  const { context, installation, cluster } = scene
  const { folder, random } = context
  const restFor = (least: number, most: number) => pause(whole(random, least, most))
  if (cluster === null) throw new Error('it needs a database that both reach')
  const home = join(folder, 'before')
  await mkdir(home)
  const before = new Installation({
    folder: home,
    brandsFile: join(folder, 'brands.yaml'),
    databaseUrl: cluster.url,
    environment: { DATA_DIR: installation.dataDir },
    root: released,
  })
  try {
    const serving: BellhopProcess[] = [await before.start('api'), await before.start('worker')]
    let calls = 0
    const callers = scene.call({
      callers: CALLERS,
      port: () => {
        const ports = serving.flatMap(({ port }) => port ?? [])
        return ports[Math.floor(calls++ / IN_TURN) % ports.length] ?? null
      },
      observe: ({ answer, sentAt, endedAt }) => watch(watched, answer, endedAt - sentAt),
    })
    await restFor(300, 1000)
    const applied = await migrateOneByOne(scene, cluster.url, released, () => restFor(200, 600))
    await restFor(300, 1000)
    serving.push(await installation.start('api'), await installation.start('worker'))
    await restFor(500, 1500)
    // As a balancer takes out what is to stop. 0.1.0 resets whom the kernel alone had accepted when it is told to;
    // that this program does not is the row of SIGTERM.
    const leaving = new Set(before.running)
    serving.splice(0, serving.length, ...serving.filter((one) => !leaving.has(one)))
    await restFor(500, 1000)
    const ended = await Promise.all(
      before.running.map(async (one) => {
        await restFor(0, 300)
        return one.stop()
      }),
    )
    await restFor(300, 1000)
    await callers.stop()
    const account = await scene.account()
    const checks = [
      {
        what: 'ends of the version before, told by SIGTERM',
        seen: [...new Set(ended.map(({ status, signal }) => `status ${status ?? signal}`))].join(', '),
        ok: ended.every(({ status, ms }) => status === 0 && ms < 10_000),
      },
      { what: 'migrated under load', seen: applied.join(', ') || 'nothing', ok: applied.length > 0 },
    ]
    return { times: 1, ...account, checks: [...account.checks, ...checks] }
  } finally {
    await before.close()
  }
}

function watch(watched: Watched, answer: HttpAnswer | NoAnswer, ms: number): void {
  if (answer === 'refused') {
    watched.refused++
    return
  }
  watched.slowest = Math.max(watched.slowest, ms)
  const told = typeof answer === 'string' ? answer : String(answer.status)
  if (told !== '201') watched.failed.set(told, (watched.failed.get(told) ?? 0) + 1)
}

/** A refused connection is no failure: nothing was asked, and a balancer asks the next process. */
function watchedChecks({ failed, refused, slowest }: Watched): Check[] {
  const seen = [...failed].map(([told, times]) => `${times} × ${told}`)
  return [
    { what: 'requests that failed', seen: seen.join(', ') || '0', ok: seen.length === 0 },
    {
      what: 'to see',
      seen: `the slowest answer came after ${(slowest / 1000).toFixed(1)} s; ${refused} connections were refused`,
      ok: true,
    },
  ]
}

/**
 * Brings the schema to this program's version, one migration after the other with load between them; the last
 * one by `bellhop migrate`, as an operator does.
 * @returns the migrations that the release before had not
 */
async function migrateOneByOne(
  { context, installation }: Scene,
  url: string,
  released: string,
  between: () => Promise<void>,
): Promise<string[]> {
  const known = (await readMigrations(join(released, 'server/migrations'))).length
  const all = await readMigrations(MIGRATIONS)
  for (let version = known + 1; version < all.length; version++) {
    const folder = join(context.folder, `migrations-${version}`)
    await mkdir(folder)
    for (const { path } of all.slice(0, version)) await copyFile(path, join(folder, basename(path)))
    await migrate({ kind: 'url', url }, folder)
    await between()
  }
  const { status, output } = await installation.run('migrate')
  if (status !== 0) throw new Error(`bellhop migrate ended with ${status}: ${output.slice(-500)}`)
  return all.slice(known).map(({ name }) => name)
}
