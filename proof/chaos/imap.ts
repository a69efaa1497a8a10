import { setTimeout as pause } from 'node:timers/promises'
import type { Database } from '../../server/src/database/pool.ts'
import { type FaultProxy, startFaultProxy } from '../../server/test/inbound/imap/fault-proxy.ts'
import { startHoodiecrow } from '../../server/test/inbound/imap/hoodiecrow.ts'
import type { TestImapServer } from '../../server/test/inbound/imap/imap-server.ts'
import { mailsOf } from '../inbound/answers.ts'
import { addressOf } from '../inbound/mail-brands.ts'
import { ACME } from './brands.ts'
import type { Fault, FaultReport } from './fault.ts'
import { accountOfMails } from './mail-account.ts'
import { MailLedger } from './mail-ledger.ts'
import { until } from './processes.ts'
import { whole } from './random.ts'
import { type Scene, withScene } from './scene.ts'

/** Bytes of a mail. */
const SIZE = 3000
/** Mails that arrive in a second. */
const PER_SECOND = 5
/** Mails that arrive beside those that are kept: nobody reads a mailbox in which nothing arrives. */
const AHEAD = 5
/** Commands after which a connection breaks, at most: before the first mail, or behind some. */
const COMMANDS = 30
/** Milliseconds that a fault may take to come about: who was cut off again and again comes back within five minutes. */
const PATIENCE_MS = 330_000

export const imap: Fault = {
  id: 'imap',
  title:
    'a mailbox whose connection breaks, that is put back under another UIDVALIDITY, and `kill -9` of who reads it',
  times: { long: 200, short: null },
  async run(context) {
    const server = await startHoodiecrow()
    const proxy = await startFaultProxy(server.settings.port)
    const url = `imap://${server.settings.user}:${server.settings.pass}@127.0.0.1:${proxy.port}/${server.settings.mailbox}`
    try {
      const inbound = (id: string) => (id === ACME ? { imap: url } : {})
      return await withScene(context, { database: 'cluster', brands: { inbound } }, (scene) =>
        run(scene, server, proxy),
      )
    } finally {
      await proxy.close()
      await server.close()
    }
  },
}

async function run(scene: Scene, server: TestImapServer, proxy: FaultProxy): Promise<FaultReport> {
  const { context } = scene
  const { signal, say, times } = context
  const ledger = new MailLedger()
  const over = new AbortController()
  await scene.start()
  const database = await scene.database()
  const countKept = () => countMails(database)
  const arriving = arrive(server, ledger, countKept, over.signal)
  arriving.catch(() => {})
  try {
    for (let fault = 1; fault <= times; fault++) {
      signal.throwIfAborted()
      await breakOnce(scene, server, proxy)
      if (fault % 10 === 0) say(`${fault} faults, ${ledger.taken.size} mails in the mailbox`)
    }
  } finally {
    over.abort()
    await arriving
  }
  await until('every mail of the mailbox is kept', async () => (await countKept()) >= ledger.taken.size, {
    ms: 300_000,
    every: 500,
    signal,
  })
  return { times, ...(await accountOfMails(scene, ledger)) }
}

async function countMails({ sql }: Database): Promise<number> {
  const [row] = await sql<{ kept: number }[]>`
    select count(distinct sha256)::int as kept from inbound_mails where sha256 is not null`
  return row?.kept ?? 0
}

/** Most faults are the connection's; now and then the mailbox is another, or the reader dies. */
async function breakOnce(scene: Scene, server: TestImapServer, proxy: FaultProxy): Promise<void> {
  const { random, signal } = scene.context
  const kind = random()
  await pause(whole(random, 50, 500))
  if (kind < 0.15) {
    await scene.bellhop().kill()
    await scene.start()
    return
  }
  if (kind < 0.25) {
    await server.reset()
    proxy.cut()
    return
  }
  const moments = ['before', 'after', { within: whole(random, 1, 2000) }] as const
  const moment = moments[whole(random, 0, moments.length - 1)] ?? 'before'
  proxy.breakAt({ command: whole(random, 0, COMMANDS), moment })
  await until('the connection breaks', () => proxy.broke(), { ms: PATIENCE_MS, signal })
}

async function arrive(
  server: TestImapServer,
  ledger: MailLedger,
  countKept: () => Promise<number>,
  signal: AbortSignal,
): Promise<void> {
  const next = mailsOf(SIZE, () => addressOf(ACME))
  while (!signal.aborted) {
    if (ledger.taken.size < (await countKept()) + AHEAD) {
      const mail = next()
      ledger.deliver(mail)
      await server.append(mail)
    }
    await pause(1000 / PER_SECOND, undefined, { signal }).catch(() => {})
  }
}
