import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { BlobFolder } from '../../src/blobs/blob-folder.ts'
import type { Brand } from '../../src/config.ts'
import type { CrashPoint } from '../../src/crash-points.ts'
import type { Sql } from '../../src/database/pool.ts'
import { MailKeeper } from '../../src/inbound/keep-mail.ts'
import { TICKET } from '../bellhop.ts'
import { createTestDatabase } from '../database/test-database.ts'
import { type MailDesk, mailBrand, startMailDesk } from '../deliveries/mail-desk.ts'
import { startTestIssuer } from '../http/tokens/test-issuer.ts'
import { AUTHSERV } from '../inbound/settle/an-email.ts'
import type { CrashingBellhop } from './crashing-bellhop.ts'

/** So that twenty processes start in half the time. */
const COMPILE_CACHE = join(import.meta.dirname, '../../../node_modules/.cache/bellhop')

export type Answered = { status: number; replayed: boolean; body: Record<string, unknown> }

export type Victim = {
  /** Files a ticket with this key; null where the process died before it answered. */
  file(key: string): Promise<Answered | null>
  /** Says more on a ticket, with this key; null where the process died before it answered. */
  say(ticketId: unknown, key: string): Promise<Answered | null>
  kill(): void
  /** The signal that it died by. */
  died: Promise<NodeJS.Signals | null>
}

/** One database, one issuer and one mailbox, on which process after process is started and killed. */
export type CrashScene = {
  desk: MailDesk
  sql: Sql
  /** A mail comes to `acme`: its bytes and its row are safe, and whoever runs settles it. */
  bring(raw: Buffer): Promise<void>
  start(point?: CrashPoint): Promise<Victim>
  stop(): Promise<void>
}

export async function setCrashScene(): Promise<CrashScene> {
  const database = await createTestDatabase()
  const issuer = await startTestIssuer()
  await issuer.newKey()
  const desk = await startMailDesk()
  const dataDir = await mkdtemp(join(tmpdir(), 'bellhop-test-'))
  const token = await issuer.token()
  const running = new Set<ChildProcess>()
  const inbound = { imap: null, secret: null, trustedAuthservIds: [AUTHSERV], acceptNew: false }
  const brands: Brand[] = [{ ...mailBrand('acme', issuer, desk, 10_000), inbound }]
  const keeper = new MailKeeper({
    database: database.database,
    blobs: new BlobFolder(join(dataDir, 'blobs')),
  })
  const config: CrashingBellhop['config'] = {
    environment: {
      port: 0,
      host: '127.0.0.1',
      databaseUrl: null,
      workerPort: null,
      databasePool: 8,
      dataDir,
      brandsFile: null,
      logLevel: 'silent',
      limits: { attachmentBytes: 1e6, textBytes: 1e6, requestBytes: 1e6 },
      closeSolvedAfter: 1e9,
      inboundKeep: 1e9,
      eventStreams: 20_000,
      signingSecret: null,
      backups: null,
    },
    brands: { issuers: [issuer.jwt()], brands },
    demo: false,
  }

  return {
    desk,
    sql: database.sql,
    bring: async (raw) =>
      void (await keeper.keep({ brandId: 'acme', way: 'http', raw, requestDigest: null })),
    async start(point) {
      const told: CrashingBellhop = { config, endpoint: database.endpoint, point: point ?? null }
      const script = join(import.meta.dirname, 'crashing-bellhop.ts')
      const child = spawn(process.execPath, [script, JSON.stringify(told)], {
        env: { ...process.env, NODE_COMPILE_CACHE: COMPILE_CACHE },
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      running.add(child)
      const died = once(child, 'exit').then(([, signal]) => {
        running.delete(child)
        return signal as NodeJS.Signals | null
      })
      const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
      const url = `http://127.0.0.1:${line.replace('ready ', '')}/v1/support/tickets`
      const post = async (path: string, key: string, body: object): Promise<Answered | null> => {
        const headers = {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          'idempotency-key': key,
        }
        try {
          const response = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) })
          const answered = (await response.json()) as Record<string, unknown>
          const replayed = response.headers.get('idempotency-replayed') === 'true'
          return { status: response.status, replayed, body: answered }
        } catch {
          return null
        }
      }
      return {
        died,
        kill: () => void child.kill('SIGKILL'),
        file: (key) => post('', key, { ...TICKET, subject: `About ${key}` }),
        say: (ticketId, key) =>
          post(`/${ticketId}/messages`, key, {
            body: `More of ${key}`,
            attachments: [{ filename: 'a.txt', content_base64: 'YQ==' }],
          }),
      }
    },
    async stop() {
      for (const child of running) child.kill('SIGKILL')
      await desk.close()
      await issuer.close()
      await database.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
