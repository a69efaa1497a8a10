import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BlobFolder } from '../../src/blobs/blob-folder.ts'
import { fillDatabase } from '../backup/filled.ts'
import { createTestDatabase, type TestDatabase } from '../database/test-database.ts'
import { openShell, type Shell } from './command-line.ts'

let db: TestDatabase
let shell: Shell
let environment: NodeJS.ProcessEnv
beforeAll(async () => {
  db = await createTestDatabase()
  shell = await openShell()
  environment = { DATABASE_URL: urlOf(db) }
  const [row] = await db.sql<{ id: string }[]>`SELECT id FROM installation`
  const blobs = new BlobFolder(join(shell.dataDir, 'blobs'))
  await blobs.belongsTo(row?.id ?? '')
  await fillDatabase(db.sql, blobs)
})
afterAll(async () => {
  await shell.stop()
  await db.stop()
})

function urlOf({ endpoint }: TestDatabase): string {
  if (endpoint.kind !== 'socket') throw new Error('it is reached by its socket')
  const { user, password, path, database } = endpoint
  return `postgresql://${user}:${encodeURIComponent(password)}@/${database}?host=${encodeURIComponent(dirname(path))}`
}

/** Runs a command whose reader goes before it has read anything. */
function unread(args: string[]) {
  const { child, ended } = shell.start(args, environment)
  child.stdout?.destroy()
  return ended
}

const onto = (device: string, args: string[]) =>
  shell.spawn('sh', ['-c', 'device=$1; shift; "$@" > "$device"', 'sh', device, ...program(args)], {
    environment,
  }).ended

const program = (args: string[]) => [
  process.execPath,
  join(import.meta.dirname, '../../src/main.ts'),
  ...args,
]

describe('when nobody reads stdout any more', () => {
  test('an archive has not arrived, and the command says so', async () => {
    expect(await unread(['backup', '-'])).toMatchObject({
      status: 1,
      errors: 'bellhop: stdout: the archive did not arrive whole (EPIPE)\n',
    })
  })

  test('a list is as long as its reader wants it', async () => {
    expect(await unread(['deliveries'])).toMatchObject({ status: 0, errors: '' })
  })
})

test('a disk without space is told in a sentence', async () => {
  expect(await onto('/dev/full', ['backup', '-'])).toMatchObject({
    status: 1,
    errors: 'bellhop: stdout: the archive did not arrive whole (ENOSPC)\n',
  })
  expect(await onto('/dev/full', ['deliveries'])).toMatchObject({
    status: 1,
    errors: 'bellhop: stdout: it cannot be written (ENOSPC)\n',
  })
})

test('a table that another session holds is told in a sentence', async () => {
  await db.sql`SELECT`
  const session = await db.sql.reserve()
  await session`BEGIN`
  await session`LOCK TABLE deliveries`
  expect(await shell.run(['deliveries'], environment)).toMatchObject({
    status: 1,
    errors: 'bellhop: Another session holds a table that this needs, a backup perhaps: try again later\n',
  })
  await session`ROLLBACK`
  session.release()
})
