import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ComposeDeps, compose, type Roles } from '../src/compose.ts'
import type { Backups, Brand, Config, DeskConfig, Issuer, Limits } from '../src/config.ts'
import type { DatabaseEndpoint, Sql } from '../src/database/pool.ts'
import { createLog } from '../src/log.ts'
import { createTestDatabase } from './database/test-database.ts'
import { startTestIssuer, type TestIssuer } from './http/tokens/test-issuer.ts'

const MIB = 1024 * 1024

export type TestBellhop = {
  url: string
  sql: Sql
  endpoint: DatabaseEndpoint
  issuer: TestIssuer
  dataDir: string
  /** Every log line so far, as it was written. */
  logged(): string
  /** Files a ticket of `per_ada` for `acme`, unless said otherwise. */
  file(overrides?: Record<string, unknown>, headers?: Record<string, string>): Promise<Answer>
  /** Any request; a token of `per_ada` goes with it, unless `authorization` is given. */
  ask(path: string, init?: RequestInit): Promise<Answer>
  stop(): Promise<void>
}

export type Answer = { status: number; headers: Headers; body: Record<string, unknown>; text: string }

export type TestBellhopOptions = {
  brands?: (issuer: TestIssuer) => Brand[]
  /** How the issuer is asked about its tokens; by its keys unless told. */
  issuers?: (issuer: TestIssuer) => Issuer[]
  roles?: Roles
  limits?: Partial<Limits>
  backups?: Backups
  eventStreams?: number
  /** Another process on the same database and issuer. */
  beside?: TestBellhop
} & Partial<
  Pick<
    ComposeDeps,
    | 'now'
    | 'random'
    | 'pass'
    | 'resolve'
    | 'env'
    | 'timeouts'
    | 'inFlight'
    | 'lateMs'
    | 'renewEvery'
    | 'upkeepEvery'
    | 'grace'
    | 'backupLook'
    | 'streamTimes'
  >
>

/** A brand whose desk is the built-in inbox, unless said otherwise. */
export function brandOf(id: string, issuer: Pick<TestIssuer, 'url'>, settings: Partial<Brand> = {}): Brand {
  return {
    id,
    name: id,
    issuers: [issuer.url],
    personClaim: 'sub',
    brandClaim: 'brand',
    requiredScope: null,
    trustedClients: [],
    wait: 2000,
    ticketsPerMinute: 0,
    origins: [],
    desk: { connector: 'inbox' } satisfies DeskConfig,
    mail: null,
    reply: null,
    inbound: null,
    acknowledge: 'verified',
    answers: 'always',
    private: false,
    ticketUrl: null,
    templates: {},
    ...settings,
  }
}

/** The whole program in this process, on a database of its own, a real issuer and a real port. */
export async function startBellhop(options: TestBellhopOptions = {}): Promise<TestBellhop> {
  const {
    beside,
    roles = { api: true, worker: true },
    brands: brandsOf,
    issuers = (known) => [known.jwt()],
    limits,
    backups,
    eventStreams = 20_000,
    ...deps
  } = options
  const own = beside ? null : { database: await createTestDatabase(), issuer: await startTestIssuer() }
  const issuer = beside?.issuer ?? own?.issuer
  const endpoint = beside?.endpoint ?? own?.database.endpoint
  const sql = beside?.sql ?? own?.database.sql
  if (!issuer || !endpoint || !sql) throw new Error('a test has neither its own database nor another one')
  if (own) await issuer.newKey()
  const dataDir = beside?.dataDir ?? (await mkdtemp(join(tmpdir(), 'bellhop-test-')))
  const brands = brandsOf ? brandsOf(issuer) : ['acme', 'globex'].map((id) => brandOf(id, issuer))
  const config: Config = {
    environment: {
      port: 0,
      host: '127.0.0.1',
      databaseUrl: null,
      workerPort: null,
      databasePool: 8,
      dataDir,
      brandsFile: null,
      logLevel: 'debug',
      limits: { attachmentBytes: 10 * MIB, textBytes: 2 * MIB, requestBytes: 26 * MIB, ...limits },
      closeSolvedAfter: 14 * 24 * 60 * 60 * 1000,
      inboundKeep: 30 * 24 * 60 * 60 * 1000,
      eventStreams,
      signingSecret: null,
      backups: backups ?? null,
    },
    brands: { issuers: issuers(issuer), brands },
    demo: false,
  }
  const lines: string[] = []
  const log = createLog({ level: 'debug', pretty: false, stream: { write: (line) => void lines.push(line) } })
  // A machine that is busy with other tests is late; whoever tests that says so.
  const bellhop = await compose({ config, endpoint, roles, log, lateMs: 60_000, ...deps })
  bellhop.start()
  await bellhop.app?.listen({ host: '127.0.0.1', port: 0 })
  const url = bellhop.app ? `http://127.0.0.1:${(bellhop.app.server.address() as AddressInfo).port}` : ''

  const ask: TestBellhop['ask'] = async (path, init = {}) => {
    const headers = new Headers(init.headers)
    if (!headers.has('authorization')) headers.set('authorization', `Bearer ${await issuer.token()}`)
    const response = await fetch(url + path, { ...init, headers })
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false
    return {
      status: response.status,
      headers: response.headers,
      body: isJson && text !== '' ? JSON.parse(text) : {},
      text,
    }
  }
  return {
    url,
    sql,
    endpoint,
    issuer,
    dataDir,
    ask,
    logged: () => lines.join(''),
    file: (overrides, headers) =>
      ask('/v1/support/tickets', {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ ...TICKET, ...overrides }),
      }),
    async stop() {
      await bellhop.close()
      if (beside) return
      await issuer.close()
      await own?.database.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

export const TICKET = {
  brand_id: 'acme',
  person_id: 'per_ada',
  requester_email: 'ada@example.com',
  requester_name: 'Ada Lovelace',
  subject: 'My order has not arrived',
  body: 'It was due on Monday. Where is it?',
}
