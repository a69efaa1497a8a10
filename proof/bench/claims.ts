import { startBellhop } from '../servers.ts'
import { dropBacklog, makeBacklog } from './backlog.ts'
import type { ClaimLoopSettings } from './claim-loop.ts'
import { COMPARISON, type Comparison, comparison } from './comparison.ts'
import { compete, type Entrant } from './contest.ts'
import { type BenchContext, type Group, onStage } from './group.ts'
import { mailBrands, startSink, writeMailBrands } from './mail-desks.ts'
import { type Peer, startPeer } from './peer.ts'
import { type BenchDatabase, startPostgres, withSql } from './postgres.ts'

/** Five places at each, so that they fill the hundred of a process. */
const BRANDS = mailBrands(20)
/** Deliveries for the first look at how many are carried in a second. */
const FIRST_LOOK = 3000

export const claims: Group = {
  id: 'claims',
  inShort: true,
  async run(context) {
    const { folder, scene, form, say } = context
    const postgres = await onStage(scene, startPostgres(folder))
    const database = await postgres.create()
    say('loops')
    const rows = await loops(context, database, form === 'short' ? [1, 2] : [1, 2, 4])
    if (form === 'long') {
      say('workers')
      rows.push(...(await workers(context, await postgres.create())))
    }
    return [
      {
        id: 'claims',
        title: 'Claims',
        text:
          'How carrying grows with processes. A loop is what a worker asks of the database, by itself: claim what ' +
          'there are places for, 5 of each of 20 brands and 100 in all, and write down the end of each as if the ' +
          'desk took no time. Workers are real ones, `bellhop worker`, that carry a backlog of the same brands to ' +
          `a local mail server. ${context.rounds} alternating rounds. All of it shares this machine's processors ` +
          'with PostgreSQL and the mail server, which bounds what more processes can bring.',
        columns: COMPARISON,
        rows,
        order: ['loop.2', 'loop.4', 'worker.2', 'worker.4'].map((id) => `claims.${id}`),
      },
    ]
  },
}

async function loops(
  context: BenchContext,
  database: BenchDatabase,
  counts: number[],
): Promise<Comparison[]> {
  const { scene, rounds, seconds, refusals } = context
  const { endpoint } = database
  const settings: ClaimLoopSettings = { endpoint, brands: BRANDS }
  const peers: Peer<null, number, number>[] = []
  for (let index = 0; index < Math.max(...counts); index++) {
    peers.push(await onStage(scene, startPeer<null, number, number>('claim-loop.ts', settings)))
  }
  const turn = (count: number, backlog: number) => async (): Promise<number> => {
    await withSql(endpoint, async (sql) => {
      await dropBacklog(sql)
      await makeBacklog(sql, BRANDS, backlog)
    })
    const rates = await Promise.all(peers.slice(0, count).map((peer) => peer.ask(seconds)))
    return rates.reduce((all, rate) => all + rate, 0)
  }
  // More than even all loops together carry, so that nobody is out of work before the time is over.
  const pace = await turn(Math.max(...counts), FIRST_LOOK)()
  const backlog = Math.ceil(pace * seconds * 2)
  const rates = await compete(
    Object.fromEntries(counts.map((count) => [`${count}`, turn(count, backlog)])),
    rounds,
    refusals,
  )
  for (const peer of peers) await peer.stop()
  return rowsOf('loop', counts, rates)
}

async function workers(context: BenchContext, { endpoint, url }: BenchDatabase): Promise<Comparison[]> {
  const { scene, folder, rounds, seconds, refusals } = context
  const counts = [1, 2, 4]
  const sink = await startSink(context)
  const environment = { DATABASE_URL: url, BRANDS_FILE: await writeMailBrands(folder, BRANDS, sink.port) }
  const turn =
    (count: number, mails: number): Entrant =>
    async () => {
      const running = []
      for (let index = 0; index < count; index++) {
        running.push(await onStage(scene, startBellhop(folder, { command: 'worker', environment })))
      }
      try {
        return await sink.rate(mails, () => withSql(endpoint, (sql) => makeBacklog(sql, BRANDS, mails)))
      } finally {
        for (const worker of running) await worker.stop()
      }
    }
  const mails = Math.ceil((await turn(1, 1000)()) * seconds * 1.5)
  const rates = await compete(
    Object.fromEntries(counts.map((count) => [`${count}`, turn(count, mails)])),
    rounds,
    refusals,
  )
  return rowsOf('worker', counts, rates)
}

function rowsOf(id: 'loop' | 'worker', counts: number[], rates: Record<string, number[]>): Comparison[] {
  return counts
    .filter((count) => count > 1)
    .map((count) =>
      comparison({
        id: `claims.${id}.${count}`,
        what: `${count} ${id}s`,
        rates: rates[`${count}`] ?? [],
        floor: { what: `1 ${id}`, rates: rates['1'] ?? [] },
        goal: null,
      }),
    )
}
