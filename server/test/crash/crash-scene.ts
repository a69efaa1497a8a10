import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Brand } from '../../src/config.ts'
import type { CrashPoint } from '../../src/crash-points.ts'
import type { Sql } from '../../src/database/pool.ts'
import { TICKET } from '../bellhop.ts'
import { createTestDatabase } from '../database/test-database.ts'
import { type MailDesk, mailBrand, startMailDesk } from '../deliveries/mail-desk.ts'
import { startTestIssuer } from '../http/tokens/test-issuer.ts'
import type { CrashingBellhop } from './crashing-bellhop.ts'

/** So that twenty processes start in half the time. */
const COMPILE_CACHE = join(import.meta.dirname, '../../../node_modules/.cache/bellhop')

export type Answered = { status: number; replayed: boolean; body: Record<string, unknown> }

export type Victim = {
  /** Files a ticket with this key; null where the process died before it answered. */
  file(key: string): Promise<Answered | null>
  kill(): void
  /** The signal that it died by. */
  died: Promise<NodeJS.Signals | null>
}

/** One database, one issuer and one mailbox, on which process after process is started and killed. */
export type CrashScene = {
  desk: MailDesk
  sql: Sql
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
  const brands: Brand[] = [mailBrand('acme', issuer, desk, 10_000)]
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
    },
    brands: { issuers: [issuer.jwt()], brands },
    demo: false,
  }

  return {
    desk,
    sql: database.sql,
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
      return {
        died,
        kill: () => void child.kill('SIGKILL'),
        async file(key) {
          const headers = {
            authorization: `Bearer ${token}`,
            'content-type': 'application/json',
            'idempotency-key': key,
          }
          const body = JSON.stringify({ ...TICKET, subject: `About ${key}` })
          try {
            const response = await fetch(url, { method: 'POST', headers, body })
            const answered = (await response.json()) as Record<string, unknown>
            const replayed = response.headers.get('idempotency-replayed') === 'true'
            return { status: response.status, replayed, body: answered }
          } catch {
            return null
          }
        },
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
