import { execFileSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type EmbeddedServer, findEmbedded, startEmbedded } from '../../../src/database/embedded/embedded.ts'
import { isAlive } from '../../../src/database/embedded/process.ts'
import { type Database, type DatabaseEndpoint, openDatabase } from '../../../src/database/pool.ts'
import { OperatorError } from '../../../src/errors.ts'
import { silent } from '../test-database.ts'
import { familyOf, startBellhop, until } from './processes.ts'

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bellhop-embedded-'))
  cleanUps.push(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A database that was started once and stopped; to be copied, since making one takes a second. */
let prepared: string
beforeAll(async () => {
  prepared = await mkdtemp(join(tmpdir(), 'bellhop-prepared-'))
  const server = await startEmbedded({ dataDir: prepared, command: 'vitest', log: silent })
  await server.stop()
})
afterAll(() => rm(prepared, { recursive: true, force: true }))

async function usedFolder(): Promise<string> {
  const folder = await newFolder()
  execFileSync('cp', ['-a', `${prepared}/.`, folder])
  return folder
}

async function start(dataDir: string): Promise<EmbeddedServer> {
  const server = await startEmbedded({ dataDir, command: 'bellhop start', log: silent })
  cleanUps.push(() => server.stop())
  return server
}

function open(endpoint: DatabaseEndpoint): Database {
  const database = openDatabase(endpoint, { max: 2, applicationName: 'vitest' })
  cleanUps.push(() => database.close())
  return database
}

/** Asks until there is an answer, as everything that uses a pool does after an outage. */
async function untilAnswered(database: Database): Promise<void> {
  await until(() =>
    database.sql`select 1`.then(
      () => true,
      () => false,
    ),
  )
}

describe('a first start', () => {
  test('makes a database that keeps what it is told, reached by a socket and a password alone', async () => {
    const dataDir = join(await newFolder(), 'data')
    const server = await start(dataDir)

    const { sql } = open(server.endpoint)
    const names = ['fsync', 'full_page_writes', 'synchronous_commit', 'data_checksums', 'listen_addresses']
    const settings = await sql<{ name: string; setting: string }[]>`
      select name, setting from pg_settings where name in ${sql(names)}`
    expect(Object.fromEntries(settings.map(({ name, setting }) => [name, setting]))).toEqual({
      fsync: 'on',
      full_page_writes: 'on',
      synchronous_commit: 'on',
      data_checksums: 'on',
      listen_addresses: '',
    })
    const [database] = await sql`
      select pg_encoding_to_char(encoding) as encoding, datlocprovider as provider, datlocale as locale
      from pg_database where datname = current_database()`
    expect(database).toEqual({ encoding: 'UTF8', provider: 'b', locale: 'C.UTF-8' })

    const modeOf = async (name: string) => ((await stat(join(dataDir, name))).mode & 0o777).toString(8)
    expect(await modeOf('.')).toBe('700')
    expect(await modeOf('database-password')).toBe('600')
    expect(await modeOf('cluster')).toBe('700')
    expect(await modeOf('postgresql.log')).toBe('600')

    // Nothing of it listens on TCP, and a wrong password opens nothing.
    if (process.platform === 'linux') expect(await listensOnTcp(server.pid() ?? 0)).toBe(false)
    const stranger = open({ ...endpointOf(server), password: 'guess' })
    await expect(stranger.sql`select 1`).rejects.toMatchObject({ code: '28P01' })
  })

  test('is made anew by no start on a folder that has one: what was there is there', async () => {
    const dataDir = await usedFolder()
    const first = await start(dataDir)
    await open(first.endpoint).sql`create table kept as select 42 as answer`
    await first.stop()
    expect(await findEmbedded(dataDir)).toBeNull()

    const second = await start(dataDir)
    expect(await open(second.endpoint).sql`select answer from kept`).toEqual([{ answer: 42 }])
  })

  test('works in a folder whose path is longer than a socket address', async () => {
    const dataDir = join(await newFolder(), 'a'.repeat(120), 'b'.repeat(120), 'c'.repeat(250), 'd, "e" ü')
    const server = await start(dataDir)
    expect(await open(server.endpoint).sql`select 1 as one`).toEqual([{ one: 1 }])
    expect(await findEmbedded(dataDir)).toEqual(server.endpoint)
  })

  test('takes a folder that was restored by a plain copy, whoever owns the files now', async () => {
    const dataDir = await newFolder()
    execFileSync('cp', ['-R', `${prepared}/.`, dataDir])
    execFileSync('chmod', ['755', join(dataDir, 'cluster')])
    const server = await start(dataDir)
    expect(await open(server.endpoint).sql`select 1 as one`).toEqual([{ one: 1 }])
  })

  test('refuses a folder that it may not write to, and says so', async (context) => {
    if (process.getuid?.() === 0) return context.skip('root may write everywhere')
    const dataDir = await newFolder()
    await chmod(dataDir, 0o500)
    await expect(start(dataDir)).rejects.toBeInstanceOf(OperatorError)
    await chmod(dataDir, 0o700)
  })

  test('throws away what a start that was killed half-way has left, and nothing else', async () => {
    const dataDir = await newFolder()
    await mkdir(join(dataDir, 'cluster.new-Ab3dEf', 'base'), { recursive: true })
    await writeFile(join(dataDir, 'cluster.new-Ab3dEf', 'PG_VERSION'), '18\n')
    await writeFile(join(dataDir, 'keep.txt'), 'kept')
    const server = await start(dataDir)
    expect(await open(server.endpoint).sql`select 1 as one`).toEqual([{ one: 1 }])
    expect((await readdir(dataDir)).sort()).toEqual([
      'cluster',
      'database-password',
      'holder',
      'holder.lock',
      'keep.txt',
      'postgresql.log',
    ])
  })
})

describe('a server that dies', () => {
  test('is started again by itself, with every row that was acknowledged', async () => {
    const server = await start(await usedFolder())
    const database = open(server.endpoint)
    await database.sql`create table acknowledged (n int)`
    await database.sql`insert into acknowledged values (1), (2), (3)`
    const pid = server.pid() ?? 0
    process.kill(pid, 'SIGKILL')
    await until(() => server.pid() !== null && server.pid() !== pid)
    await untilAnswered(database)
    expect(await database.sql`select count(*) from acknowledged`).toEqual([{ count: 3 }])
  })

  test('stays down once it was told to stop, also in the middle of a restart', async () => {
    const dataDir = await usedFolder()
    const server = await start(dataDir)
    process.kill(server.pid() ?? 0, 'SIGKILL')
    await server.stop()
    await server.stop()
    expect(server.pid()).toBeNull()
    expect(await findEmbedded(dataDir)).toBeNull()
    // The folder is free again.
    await start(dataDir)
  })

  test('stops within bounds while it is paused', async () => {
    const server = await start(await usedFolder())
    process.kill(server.pid() ?? 0, 'SIGSTOP')
    await server.stop()
    expect(server.pid()).toBeNull()
  })
})

describe('two starts on one folder', () => {
  test('the second refuses and says who holds it', async () => {
    const dataDir = await usedFolder()
    const first = startBellhop(dataDir)
    cleanUps.push(() => first.child.kill('SIGTERM') && first.ended)
    await first.line(/^ready/)
    const second = start(dataDir)
    await expect(second).rejects.toBeInstanceOf(OperatorError)
    await expect(second).rejects.toThrow(`bellhop start, pid ${first.child.pid}`)
  })

  test('refuses also while the server of the first is down', async () => {
    const dataDir = await usedFolder()
    const first = startBellhop(dataDir)
    cleanUps.push(() => first.child.kill('SIGTERM') && first.ended)
    const pid = Number((await first.line(/^ready/)).split(' ')[1])
    process.kill(pid, 'SIGKILL')
    await expect(start(dataDir)).rejects.toThrow(`pid ${first.child.pid}`)
    await first.line(/database_back/)
  })

  test('of four at the same moment, on a new folder, exactly one gets it', async () => {
    const dataDir = await newFolder()
    const all = Array.from({ length: 4 }, () => startBellhop(dataDir))
    cleanUps.push(() => Promise.all(all.map(({ child, ended }) => child.kill('SIGTERM') && ended)))
    const ends = await Promise.all(all.map(({ line }) => line(/^ready|^OperatorError/)))
    expect(ends.filter((end) => end.startsWith('ready'))).toHaveLength(1)
    expect(ends.filter((end) => end.includes('is in use by'))).toHaveLength(3)
  })

  test('a killed Bellhop holds nothing: the server it left is ended, and its rows are there', async () => {
    const dataDir = await usedFolder()
    const killed = startBellhop(dataDir)
    const orphan = Number((await killed.line(/^ready/)).split(' ')[1])
    const left = await findEmbedded(dataDir)
    if (left === null) throw new Error('It does not answer')
    const before = openDatabase(left, { max: 1, applicationName: 'vitest' })
    await before.sql`create table acknowledged as select 1 as n`
    await before.close()
    killed.child.kill('SIGKILL')
    await killed.ended
    expect(await findEmbedded(dataDir)).not.toBeNull()

    const server = await start(dataDir)
    expect(server.pid()).not.toBe(orphan)
    expect(isAlive(orphan)).toBe(false)
    expect(await open(server.endpoint).sql`select n from acknowledged`).toEqual([{ n: 1 }])
  })

  test('a pid file that names somebody else by now harms nobody', async () => {
    const dataDir = await usedFolder()
    await (await start(dataDir)).stop()
    // As after a power failure: the file is there, and its number is another program's.
    const bystander = startBellhop(await usedFolder(), 'bystander')
    cleanUps.push(() => bystander.child.kill('SIGTERM') && bystander.ended)
    await bystander.line(/^ready/)
    const theirs = Number(bystander.lines[0]?.split(' ')[1])
    await writeFile(
      join(dataDir, 'cluster/postmaster.pid'),
      `${theirs}\n/proc/self/cwd\n1\n5432\n\n\n\nready   \n`,
    )
    const server = await start(dataDir)
    expect(server.pid()).not.toBe(theirs)
    process.kill(theirs, 0)
  })
})

describe('what PostgreSQL writes into its log', () => {
  test('holds no statement and no value of a row', async () => {
    const dataDir = await usedFolder()
    const server = await start(dataDir)
    const { sql } = open(server.endpoint)
    await sql`create table people (name text primary key check (length(name) < 20), at uuid)`
    await sql`insert into people values ('canary-name')`
    await expect(sql`insert into people values ('canary-name')`).rejects.toMatchObject({ code: '23505' })
    await expect(sql`insert into people values (${'canary-'.repeat(9)})`).rejects.toMatchObject({
      code: '23514',
    })
    await expect(sql`insert into people values ('x', ${'canary-uuid'})`).rejects.toMatchObject({
      code: '22P02',
    })
    // A backend that crashes makes the server say which statement it was at.
    const long = sql`select pg_sleep(20), 'canary-crash'`
    const crashed = expect(long).rejects.toThrow()
    const busy = await until(async () => {
      const [found] = await sql<{ pid: number }[]>`
        select pid from pg_stat_activity where query like '%canary-crash%' and pid <> pg_backend_pid()`
      return found?.pid
    })
    process.kill(busy, 'SIGKILL')
    await crashed
    await until(async () => (await readFile(join(dataDir, 'postgresql.log'), 'utf8')).includes('signal 9'))
    expect(await readFile(join(dataDir, 'postgresql.log'), 'utf8')).not.toContain('canary')
  })
})

function endpointOf(server: EmbeddedServer): Extract<DatabaseEndpoint, { kind: 'socket' }> {
  if (server.endpoint.kind !== 'socket') throw new Error('Expected a socket')
  return server.endpoint
}

/** Whether any process of the family has a listening TCP socket. */
async function listensOnTcp(pid: number): Promise<boolean> {
  const inodes = new Set<string>()
  for (const member of await familyOf(pid)) {
    const links = execFileSync('ls', ['-l', `/proc/${member}/fd`], { encoding: 'utf8' })
    for (const [, inode] of links.matchAll(/socket:\[(\d+)\]/g)) if (inode !== undefined) inodes.add(inode)
  }
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((name) => readFile(`/proc/net/${name}`, 'utf8').catch(() => '')),
  )
  const listening = tables
    .join('\n')
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
    .filter((row) => row[3] === '0A')
  return listening.some((row) => inodes.has(row[9] ?? ''))
}
