import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { mailsOf } from '../inbound/answers.ts'
import { addressOf, secretOf, writeInboundBrands } from '../inbound/mail-brands.ts'
import { signedHead } from '../inbound/signed-mail.ts'
import type { NextRequest } from '../load.ts'
import { startBellhop } from '../servers.ts'
import { type BenchRow, COMPARISON, comparison } from './comparison.ts'
import { compete } from './contest.ts'
import { loadOf, warmUp } from './front-door.ts'
import { type BenchContext, type Group, onStage } from './group.ts'
import type { MailFloorSettings } from './mail-floor.ts'
import { type Peer, startPeer } from './peer.ts'
import { type BenchDatabase, startPostgres } from './postgres.ts'

const KIB = 1024
const BRANDS = Array.from({ length: 8 }, (_, index) => `brand-${index + 1}`)
const CASES = [
  { id: '5k', name: '5 KiB', bytes: 5 * KIB, connections: 32, goal: 0.6, inShort: true },
  { id: '5k.one', name: '5 KiB', bytes: 5 * KIB, connections: 1, goal: null, inShort: false },
  { id: '100k', name: '100 KiB', bytes: 100 * KIB, connections: 32, goal: null, inShort: false },
]

/** Mails that are taken by HTTP: each is safe, bytes and row, before its sender hears yes. */
export const inbound: Group = {
  id: 'inbound',
  inShort: false,
  async run(context) {
    const { form, rounds, seconds, say, refusals } = context
    const postgres = await onStage(context.scene, startPostgres(context.folder))
    const database = await postgres.create()
    const bellhop = await startTaking(context, database)
    const floor = await startMailFloor(context, database)
    const rows: BenchRow[] = []
    for (const { id, name, bytes, connections, goal, inShort } of CASES) {
      if (form === 'short' && !inShort) continue
      say(`${name}, ${connections} connections`)
      const next = mailRequests(bytes)
      await warmUp(bellhop.port, connections, seconds / 2, next, refusals)
      await warmUp(floor.ready.port, connections, seconds / 2, next, refusals)
      const rates = await compete(
        {
          floor: loadOf(floor.ready.port, connections, seconds, next),
          bellhop: loadOf(bellhop.port, connections, seconds, next),
        },
        rounds,
        refusals,
      )
      rows.push(
        comparison({
          id: `inbound.${id}`,
          what: `${name}, ${connections} connection${connections === 1 ? '' : 's'}`,
          rates: rates.bellhop,
          floor: { what: 'the bare floor', rates: rates.floor },
          goal: form === 'long' ? goal : null,
        }),
      )
    }
    return [
      {
        id: 'inbound',
        title: 'Taking mails',
        text:
          `Mails by HTTP to \`bellhop api\`, of ${BRANDS.length} brands in turn and no two alike, each answered after ` +
          `its bytes are on the disk and its row is committed, in ${rounds} alternating rounds of ${seconds} s on one ` +
          'database; nobody settles them meanwhile. The bare floor is a Fastify route that takes the bytes, writes ' +
          'them into a file, fsyncs it and inserts one row with its blob. Bellhop also verifies the signature over ' +
          'all bytes, keeps each request from being used twice, writes beside and renames, and fsyncs the folder ' +
          'too; mails that come at once share a COMMIT.',
        columns: COMPARISON,
        rows,
        order: CASES.map(({ id }) => `inbound.${id}`),
      },
    ]
  },
}

async function startTaking({ folder, scene }: BenchContext, { url }: BenchDatabase) {
  const environment = { DATABASE_URL: url, BRANDS_FILE: await writeInboundBrands(folder, BRANDS) }
  return onStage(scene, startBellhop(folder, { command: 'api', environment }))
}

async function startMailFloor({ folder, scene }: BenchContext, { endpoint }: BenchDatabase) {
  const settings: MailFloorSettings = { endpoint, folder: join(folder, 'mail-floor') }
  await mkdir(settings.folder)
  const starting: Promise<Peer<{ port: number }, null, number>> = startPeer('mail-floor.ts', settings)
  return onStage(scene, starting)
}

/** Signed as they are sent, since a signature holds for five minutes. */
function mailRequests(bytes: number): NextRequest {
  let count = 0
  const brandOf = () => BRANDS[count % BRANDS.length] ?? ''
  const nextMail = mailsOf(bytes, () => addressOf(brandOf()))
  return () => {
    const mail = nextMail()
    const brand = brandOf()
    count++
    return [signedHead(brand, secretOf(brand), mail, Math.floor(Date.now() / 1000)), mail]
  }
}
