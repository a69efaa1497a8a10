import { setTimeout as pause } from 'node:timers/promises'
import type { Database } from '../../server/src/database/pool.ts'
import type { Check, FaultContext, FaultReport } from './fault.ts'
import { count } from './ledger.ts'
import type { MailLedger } from './mail-ledger.ts'
import { doctorCheck, expireLeases, type Scene, untilCarried } from './scene.ts'

/** Milliseconds without a mail being settled after which nobody waits for more. */
const PATIENCE_MS = 90_000

/**
 * Waits until every mail is settled and what it made is carried, and holds what was handed over against what is there.
 * Bellhop must run, and nobody send any more.
 */
export async function accountOfMails(scene: Scene, ledger: MailLedger): Promise<Omit<FaultReport, 'times'>> {
  const { context, installation, desk } = scene
  const database = await scene.database()
  if (context.form === 'short') await expireLeases(database, installation)
  const unsettled = await untilSettled(database, context)
  const undelivered = await untilCarried(database, context, 60_000)
  const comparison = await ledger.compare(database.sql)
  const { received, doubles, differing } = await desk.report()
  const arrived = new Set(received.map(([, id]) => /msg_[0-9a-f]{32}/.exec(id)?.[0]))
  const messages = await database.sql<{ id: string }[]>`
    select 'msg_' || replace(id::text, '-', '') as id from messages where inbound_mail_id is not null`
  const missing = messages.filter(({ id }) => !arrived.has(id)).length
  const doctor = await installation.run('doctor', '--deep')
  if (doctor.status !== 0) context.say(doctor.output.trim())
  const checks: Check[] = [
    ...comparison.checks,
    count('messages that did not arrive', missing),
    count('deliveries not delivered', undelivered),
    count('left to be settled', unsettled),
    count('doubles that differ in a byte', differing.length),
    doctorCheck(doctor),
  ]
  const { acknowledged, present } = comparison
  return { acknowledged, present, arrived: messages.length - missing, doubles, checks }
}

/** @returns how many mails are left when nothing has moved for too long */
async function untilSettled({ sql }: Database, { signal, say }: FaultContext): Promise<number> {
  let left = Number.POSITIVE_INFINITY
  let movedAt = performance.now()
  for (;;) {
    signal.throwIfAborted()
    const [row] = await sql<{ left: number }[]>`
      select count(*)::int as left from inbound_mails where state = 'received'`
    const now = row?.left ?? 0
    if (now === 0) return 0
    if (now < left) {
      left = now
      movedAt = performance.now()
      say(`${left} mails are to be settled`)
    } else if (performance.now() - movedAt > PATIENCE_MS) return now
    await pause(1000)
  }
}
