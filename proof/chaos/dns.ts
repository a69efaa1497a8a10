import { setTimeout as pause } from 'node:timers/promises'
import { type SigningDomain, signingDomain, signMail } from '../../server/test/inbound/signed-mail.ts'
import { mailsOf } from '../inbound/answers.ts'
import { addressOf, secretOf } from '../inbound/mail-brands.ts'
import { signedHeaders } from '../inbound/signed-mail.ts'
import { ACME } from './brands.ts'
import { type DnsMood, DnsServer } from './dns-server.ts'
import type { Check, Fault, FaultReport } from './fault.ts'
import { count } from './ledger.ts'
import { accountOfMails } from './mail-account.ts'
import { MailLedger } from './mail-ledger.ts'
import { until } from './processes.ts'
import { type Scene, withScene } from './scene.ts'

/** Mails of each outage: those that only DNS can prove, and those whose proof the mail server wrote. */
const SIGNED = 8
const WRITTEN = 8
const SIZE = 3000
/** Milliseconds within which a mail that needs no DNS is settled, whatever DNS does. */
const SOON_MS = 20_000

export const dns: Fault = {
  id: 'dns',
  title: 'DNS that is silent, or fails, while mails come whose signatures it must prove',
  times: { long: 20, short: null },
  async run(context) {
    const signer = signingDomain('example.com')
    const records = signer.records as Record<string, string>
    const server = await DnsServer.start(records)
    try {
      const inbound = (id: string) => ({ secret: secretOf(id).toString('base64') })
      const environment = { DNS_PORT: String(server.port) }
      const options = { database: 'cluster', brands: { inbound }, environment } as const
      return await withScene(context, options, (scene) => run(scene, server, signer))
    } finally {
      server.close()
    }
  },
}

async function run(scene: Scene, server: DnsServer, signer: SigningDomain): Promise<FaultReport> {
  const { times, signal, say } = scene.context
  const ledger = new MailLedger()
  await scene.start('start', { script: 'proof/chaos/crashing.ts' })
  const { sql } = await scene.database()
  let [early, slowest] = [0, 0]
  for (let time = 0; time < times; time++) {
    signal.throwIfAborted()
    server.mood = (['silent', 'failing'] satisfies DnsMood[])[time % 2] ?? 'silent'
    const began = performance.now()
    await handOver(scene, ledger, signer)
    await until(
      'what needs no DNS is settled while it is away',
      async () => (await settledOf(sql)) >= (time + 1) * WRITTEN + time * SIGNED,
      { ms: SOON_MS * 3, signal },
    )
    slowest = Math.max(slowest, performance.now() - began)
    early += Math.max(0, (await settledOf(sql)) - (time + 1) * WRITTEN - time * SIGNED)
    server.mood = 'well'
    // What waits for its next try is tried now, and not in some minutes.
    await until(
      'the others are settled once it is back',
      async () => {
        await sql`update inbound_mails set due_at = now() where state = 'received' and locked_by is null`
        return (await settledOf(sql)) >= (time + 1) * (WRITTEN + SIGNED)
      },
      { ms: 120_000, every: 500, signal },
    )
    say(`${time + 1} outages, ${ledger.taken.size} mails taken`)
  }
  const account = await accountOfMails(scene, ledger)
  const checks: Check[] = [
    count('settled before DNS could prove them', early),
    {
      what: 'what needs no DNS, settled within',
      seen: `${(slowest / 1000).toFixed(1)} s`,
      ok: slowest < SOON_MS,
    },
  ]
  return { times, ...account, checks: [...checks, ...account.checks] }
}

async function settledOf(sql: Awaited<ReturnType<Scene['database']>>['sql']): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*)::int as count from inbound_mails where state = 'settled'`
  return row?.count ?? 0
}

/** Those that DNS must prove come first, so that the others stand behind them. */
async function handOver(scene: Scene, ledger: MailLedger, signer: SigningDomain): Promise<void> {
  const next = mailsOf(SIZE, () => addressOf(ACME))
  for (let index = 0; index < SIGNED + WRITTEN; index++) {
    const mail = index < SIGNED ? await signMail(withoutResult(next()), [{ by: signer }]) : next()
    ledger.begin()
    for (;;) {
      const response = await fetch(`http://127.0.0.1:${scene.bellhop().port}/v1/inbound/${ACME}`, {
        method: 'POST',
        headers: signedHeaders(secretOf(ACME), mail, Math.floor(Date.now() / 1000)),
        body: new Uint8Array(mail),
      })
      const { status, headers } = response
      ledger.note(mail, { status, headers: new Map(headers), body: await response.text() })
      if (status !== 503 && status !== 429) break
      await pause(250)
    }
  }
}

/** Without what its mail server found, which stands on top. */
function withoutResult(mail: Buffer): Buffer {
  return mail.subarray(mail.indexOf('From: '))
}
