import { setTimeout as pause } from 'node:timers/promises'
import type { BrandReply } from '../../server/src/config.ts'
import type { CrashPoint } from '../../server/src/crash-points.ts'
import { fromId } from '../../server/src/ids.ts'
import { signReplyAddress } from '../../server/src/mail/reply-address.ts'
import { SENDER } from '../inbound/answers.ts'
import { addressOf, REPLY_KEY, secretOf } from '../inbound/mail-brands.ts'
import { ACME } from './brands.ts'
import type { Fault, FaultContext, FaultReport } from './fault.ts'
import { accountOfMails } from './mail-account.ts'
import { MailSenders } from './mail-senders.ts'
import { until } from './processes.ts'
import { shuffled, whole } from './random.ts'
import { type Scene, withScene } from './scene.ts'

const POINTS: CrashPoint[] = ['before_settle', 'after_settle', 'before_attempt']
/** How often a process passes its point before it dies there. */
const PASSES = { long: 150, short: 20 }
const LIFE_MS = 1500
const SENDERS = 8
/** Mails in a second of each sender; what a process that lives for a second can settle, or nearly. */
const PER_SECOND = 6
/** Tickets whose answers the mails are. Of one sender a ticket takes so many in an hour and no more. */
const TICKETS = 400
const ANSWERS_OF_TICKET = 15

type Death = { point: CrashPoint; passes: number } | { afterMs: number }

export const killInbound: Fault = {
  id: 'kill-inbound',
  title:
    '`kill -9` while mails come: between their bytes being safe and their being settled, and at random moments',
  times: { long: 200, short: 4 },
  run: (context) =>
    withScene(
      context,
      { database: 'cluster', brands: { inbound: (id) => ({ secret: secretOf(id).toString('base64') }) } },
      run,
    ),
}

async function run(scene: Scene): Promise<FaultReport> {
  const { context } = scene
  const { random, signal, say, times } = context
  await scene.start()
  const to = await addresses(scene)
  const senders = new MailSenders({
    port: () => scene.bellhop().port,
    ...{ senders: SENDERS, brand: ACME, to, perSecond: PER_SECOND, random },
  })
  try {
    await scene.bellhop().stop()
    let kills = 0
    for (const death of plan(context)) {
      signal.throwIfAborted()
      await live(scene, death)
      kills++
      if (kills % 10 === 0) say(`${kills} kills, ${senders.ledger.taken.size} mails taken`)
    }
    await scene.start()
    await senders.stop()
    return { times, ...(await accountOfMails(scene, senders.ledger)) }
  } finally {
    await senders.abandon()
  }
}

/** Half at random moments, the others at the points in equal parts. */
function plan({ times, random, form }: FaultContext): Death[] {
  const deaths = Array.from({ length: times }, (_, index): Death => {
    const point = POINTS[index % (POINTS.length * 2)]
    if (point !== undefined) return { point, passes: whole(random, 1, PASSES[form]) }
    return { afterMs: whole(random, 0, LIFE_MS) }
  })
  return shuffled(random, deaths)
}

async function live(scene: Scene, death: Death): Promise<void> {
  if ('point' in death) {
    const script = 'proof/chaos/crashing.ts'
    const bellhop = await scene.start('start', { script, args: [death.point, String(death.passes)] })
    const { signal } = await bellhop.ended
    if (signal !== 'SIGKILL') throw new Error(`it ended by itself instead of at ${death.point}`)
    return
  }
  const bellhop = await scene.start()
  await pause(death.afterMs)
  await bellhop.kill()
}

/** Where the mails go: each second one opens a ticket, the others answer those that callers have filed. */
async function addresses(scene: Scene): Promise<string[]> {
  const { ledger } = scene
  const callers = scene.call({ callers: 8, brands: [ACME] })
  await until('enough tickets are filed', () => ledger.acknowledged >= TICKETS)
  await callers.stop()
  const reply: BrandReply = { local: 'support', domain: 'acme.example', keys: [REPLY_KEY] }
  const signed = [...ledger.receipts.values()].map(({ brandId, ticketId }) => {
    const uuid = fromId('tkt', ticketId)
    if (uuid === null) throw new Error('a ticket has another id')
    return signReplyAddress(reply, { brandId, ticketId: uuid, side: 'customer', recipient: SENDER })
  })
  const answers = Array.from({ length: ANSWERS_OF_TICKET }, () => signed).flat()
  return answers.flatMap((address) => [addressOf(ACME), address])
}
