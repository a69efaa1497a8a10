import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findEmbedded } from '../../src/database/embedded/embedded.ts'
import { openDatabase, type Sql } from '../../src/database/pool.ts'
import { releaseDeliveries } from '../../src/deliveries/hold.ts'
import { fileTicket, mailBrandsFile, openShell, type Shell } from '../commands/command-line.ts'
import { until } from '../database/embedded/processes.ts'
import { type MailDesk, messageIds, startMailDesk } from '../deliveries/mail-desk.ts'
import { endsOf, stateOf } from '../deliveries/rows.ts'
import { startTestIssuer, type TestIssuer } from '../http/tokens/test-issuer.ts'

let shell: Shell
let desk: MailDesk
let issuer: TestIssuer
let environment: NodeJS.ProcessEnv
let archive: string
beforeAll(async () => {
  shell = await openShell({ used: true })
  desk = await startMailDesk()
  issuer = await startTestIssuer()
  environment = { BRANDS_FILE: await shell.writeBrands(mailBrandsFile(issuer, desk, '0s')) }
  archive = join(dirname(shell.dataDir), 'bellhop.tar.zst')
})
afterAll(async () => {
  await shell.stop()
  await desk.close()
  await issuer.close()
})

const moved = (name = 'moved') => ({ ...environment, DATA_DIR: join(dirname(shell.dataDir), name) })

async function asking<T>(dataDir: string, work: (sql: Sql) => Promise<T>): Promise<T> {
  const endpoint = await until(() => findEmbedded(dataDir))
  const database = openDatabase(endpoint, { max: 1, applicationName: 'vitest' })
  return work(database.sql).finally(() => database.close())
}

test('a restored installation sends nothing twice but what was under way, and that as the same mail', async () => {
  const server = shell.start(['start'], environment)
  const url = await server.url()
  const token = await issuer.token()
  const sent = await fileTicket(url, token)
  await asking(shell.dataDir, (sql) => until(async () => (await stateOf(sql, sent)) === 'delivered'))
  const release = desk.hold()
  const underWay = await fileTicket(url, token)
  await until(() => desk.mails.length === 2)

  const backup = await shell.run(['backup', archive], environment)
  expect(backup).toMatchObject({ status: 0, errors: '' })
  expect(backup.out).toMatch(
    /^Backed up as of \d{4}-\S+Z, 2 tickets, \d+ rows in all, 0 attachments \(0\.0 kB\): \d/,
  )
  const again = await shell.run(['backup', archive], environment)
  expect(again).toMatchObject({
    status: 1,
    errors: 'bellhop: FILE: it is there already; --force replaces it\n',
  })
  const refused = await shell.run(['restore', archive], environment)
  expect(refused).toMatchObject({ status: 1, out: '' })
  expect(refused.errors).toMatch(/^bellhop: DATA_DIR: the database in \S+ is in use by bellhop start/)
  server.child.kill('SIGKILL')
  await server.ended
  release()

  const restored = await shell.run(['restore', archive], moved())
  expect(restored).toMatchObject({ status: 0, errors: '' })
  expect(restored.out).toMatch(/^Restored as of .*, 2 tickets, /)
  expect(restored.out).toContain(
    'Deliveries not finished: 1; 1 of them were under way, and may arrive twice.\n',
  )

  const next = shell.start(['start'], moved())
  await next.url()
  await asking(moved().DATA_DIR, async (sql) => {
    await until(async () => (await stateOf(sql, underWay)) === 'delivered')
    expect(await endsOf(sql, underWay)).toEqual(['uncertain restored', 'delivered smtp_250'])
    expect(await endsOf(sql, sent)).toEqual(['delivered smtp_250'])
  })
  const id = (filed: typeof sent) => `<${filed.body.message_id}@acme.example>`
  expect(messageIds(desk.mails)).toEqual([id(sent), id(underWay), id(underWay)])
  expect(desk.mails[2]).toBe(desk.mails[1])
  next.child.kill('SIGTERM')
  expect(await next.ended).toMatchObject({ status: 0 })
}, 90_000)

test('restored on hold, it carries nothing until it is released', async () => {
  const held = { ...environment, DATA_DIR: join(dirname(shell.dataDir), 'held') }
  const restored = await shell.run(['restore', '--hold', archive], held)
  expect(restored).toMatchObject({ status: 0, errors: '' })
  expect(restored.out).toContain('Delivery is on hold')
  const before = desk.mails.length
  const server = shell.start(['start'], held)
  const filed = await fileTicket(await server.url(), await issuer.token())
  expect(filed).toMatchObject({ status: 201, body: { status: 'requested' } })
  await asking(held.DATA_DIR, async (sql) => {
    const waiting =
      await sql`SELECT state, attempts FROM deliveries WHERE state <> 'delivered' ORDER BY created_at`
    expect(waiting).toEqual([
      { state: 'pending', attempts: 1 },
      { state: 'pending', attempts: 0 },
    ])
    expect(desk.mails).toHaveLength(before)
    await sql.begin(releaseDeliveries)
    await until(async () => (await stateOf(sql, filed)) === 'delivered' && desk.mails.length === before + 2)
  })
  server.child.kill('SIGTERM')
  await server.ended
}, 90_000)

test('an operator can look into an archive with tar', async () => {
  const run = promisify(execFile)
  const found = await run('tar', ['--zstd', '-tf', archive]).catch(() => null)
  // Neither tar nor zstd comes with Bellhop.
  if (found === null) return
  expect(found.stdout.split('\n')).toContain('tables/tickets/000001.copy')
  expect(found.stdout.trim().split('\n').at(-1)).toBe('manifest.json')
  expect(found.stderr).toBe('')
})

test('an archive goes through a pipe as well', async () => {
  const piped = join(dirname(shell.dataDir), 'piped.tar.zst')
  const script = `'${process.execPath}' '${join(import.meta.dirname, '../../src/main.ts')}' backup - > '${piped}'`
  const ended = await shell.spawn('sh', ['-c', script], { environment }).ended
  expect(ended).toMatchObject({ status: 0 })
  expect(ended.errors).toMatch(/^Backed up as of /)
  expect((await readFile(piped)).length).toBeGreaterThan(1000)
  expect(await shell.run(['backup', '--verify', piped])).toMatchObject({ status: 0 })
})

test('what is not there, or no archive, is said in a sentence', async () => {
  const absent = join(dirname(archive), 'absent')
  for (const command of [['backup', '--verify'], ['restore']]) {
    expect(await shell.run([...command, absent], moved())).toMatchObject({
      status: 1,
      errors: 'bellhop: FILE: it, or the folder that it is in, is not there\n',
    })
  }
  const brands = environment.BRANDS_FILE ?? ''
  expect(await shell.run(['backup', '--verify', brands])).toMatchObject({
    status: 1,
    errors: 'bellhop: This is not an archive of Bellhop\n',
  })
  expect(await shell.run(['backup', '--verify', dirname(archive)])).toMatchObject({
    status: 1,
    errors: 'bellhop: FILE: expected a file, it is a folder\n',
  })
})

test('a file that is there and cannot be opened is said in a sentence, and not by a crash', async () => {
  // A socket, since no file is closed to root.
  const socket = join(dirname(archive), 'socket')
  const listener = createServer().listen(socket)
  for (const command of [['backup', '--verify'], ['restore']]) {
    expect(await shell.run([...command, socket], moved('unopened'))).toMatchObject({
      status: 1,
      errors: 'bellhop: FILE: expected a file\n',
    })
  }
  listener.close()
})

test('a folder that takes no attachments is not said to be the file', async () => {
  const dataDir = join(dirname(shell.dataDir), 'blocked')
  await mkdir(dataDir, { mode: 0o700 })
  await writeFile(join(dataDir, 'blobs'), 'a file in place of the folder')
  expect(await shell.run(['restore', archive], { ...environment, DATA_DIR: dataDir })).toMatchObject({
    status: 1,
    errors: 'bellhop: DATA_DIR: it, or the folder that it is in, is not there\n',
  })
})
