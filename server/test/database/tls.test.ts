import { appendFile, chmod, chown, copyFile, mkdtemp, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startEmbedded } from '../../src/database/embedded/embedded.ts'
import { isDatabaseAway, openDatabase } from '../../src/database/pool.ts'
import { until } from './embedded/processes.ts'
import { type RawServer, startRawServer } from './raw-server.ts'
import { silent } from './test-database.ts'

const CERTIFICATES = join(import.meta.dirname, 'certificates')
const ROOT = join(CERTIFICATES, 'root.crt')

type Served = { server: RawServer; port: number; password: string }

let folder: string
let encrypted: Served
let plain: Served

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bellhop-tls-'))
  encrypted = await serve('a', { ssl: 'on', ssl_cert_file: 'server.crt', ssl_key_file: 'server.key' })
  plain = await serve('b', {})
})
afterAll(async () => {
  await encrypted.server.stop()
  await plain.server.stop()
  await rm(folder, { recursive: true })
})

async function serve(name: string, settings: Record<string, string>): Promise<Served> {
  const dataDir = join(folder, name)
  const first = await startEmbedded({ dataDir, command: 'vitest', log: silent })
  await first.stop()
  const cluster = join(dataDir, 'cluster')
  const { uid, gid } = await stat(cluster)
  for (const file of ['server.crt', 'server.key']) {
    await copyFile(join(CERTIFICATES, file), join(cluster, file))
    await chmod(join(cluster, file), 0o600)
    await chown(join(cluster, file), uid, gid)
  }
  await appendFile(join(cluster, 'pg_hba.conf'), 'host all all 127.0.0.1/32 scram-sha-256\n')
  const port = await freePort()
  const server = await startRawServer(cluster, {
    listen_addresses: '127.0.0.1',
    port: String(port),
    ...settings,
  })
  if (first.endpoint.kind !== 'socket') throw new Error('Expected a socket')
  const served = { server, port, password: first.endpoint.password }
  await until(async () => (await ask(urlOf(served, '127.0.0.1', 'sslmode=disable'))) === 'plain')
  return served
}

function urlOf({ password, port }: Served, host: string, query: string): string {
  return `postgres://bellhop:${password}@${host}:${port}/bellhop?${query}`
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('Expected a port')
  return address.port
}

/** Whether the session is encrypted, or why there is none. */
async function ask(url: string): Promise<string> {
  const database = openDatabase({ kind: 'url', url }, { max: 1, applicationName: 'vitest' })
  try {
    const [row] = await database.sql<{ ssl: boolean }[]>`
      select ssl from pg_stat_ssl where pid = pg_backend_pid()`
    return row?.ssl === true ? 'encrypted' : 'plain'
  } catch (error) {
    if (!isDatabaseAway(error)) return String(error)
    const cause = error instanceof Error ? error.cause : null
    return `refused: ${codeOf(cause) ?? codeOf(error)}`
  } finally {
    await database.close()
  }
}

function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error ? String(error.code) : null
}

describe('a server that offers TLS with a certificate for localhost', () => {
  test.each([
    ['127.0.0.1', '', 'encrypted'],
    ['127.0.0.1', 'sslmode=disable', 'plain'],
    ['127.0.0.1', 'sslmode=prefer', 'encrypted'],
    ['127.0.0.1', 'sslmode=require', 'encrypted'],
    ['localhost', `sslmode=verify-full&sslrootcert=${ROOT}`, 'encrypted'],
    ['127.0.0.1', `sslmode=verify-ca&sslrootcert=${ROOT}`, 'encrypted'],
    ['127.0.0.1', `sslmode=verify-full&sslrootcert=${ROOT}`, 'refused: ERR_TLS_CERT_ALTNAME_INVALID'],
    ['localhost', 'sslmode=verify-full', 'refused: UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['localhost', 'sslrootcert=system', 'refused: UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['localhost', 'sslmode=verify-ca', 'refused: UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ])('%s?%s: %s', async (host, query, result) => {
    expect(await ask(urlOf(encrypted, host, query))).toBe(result)
  })
})

describe('a server without TLS', () => {
  test.each([
    ['', 'plain'],
    ['sslmode=prefer', 'plain'],
    ['sslmode=require', 'refused: TLS_REFUSED'],
    [`sslmode=verify-full&sslrootcert=${ROOT}`, 'refused: TLS_REFUSED'],
  ])('%s: %s', async (query, result) => {
    expect(await ask(urlOf(plain, '127.0.0.1', query))).toBe(result)
  })
})

test('a wrong password is refused over TLS too, and the error repeats nothing of it', async () => {
  const url = urlOf({ ...encrypted, password: 'canary' }, '127.0.0.1', '')
  const database = openDatabase({ kind: 'url', url }, { max: 1, applicationName: 'vitest' })
  const error = await database.sql`select 1`.catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: '28P01' })
  expect(String(error)).not.toContain('canary')
  await database.close()
})
