import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { BlobFolder } from '../../../src/blobs/blob-folder.ts'
import { findEmbedded } from '../../../src/database/embedded/embedded.ts'
import { openDatabase } from '../../../src/database/pool.ts'
import { type Ended, openShell, type Shell } from '../../commands/command-line.ts'
import { createTestDatabase, type TestDatabase } from '../../database/test-database.ts'
import { aMail } from './signed-request.ts'

const BELLHOP = join(import.meta.dirname, '../../../bin/bellhop')
const MIB = 1024 * 1024

let shell: Shell
let database: TestDatabase
let mails: string
beforeAll(async () => {
  shell = await openShell()
  database = await createTestDatabase()
  mails = await mkdtemp(join(tmpdir(), 'bellhop-test-'))
  const [installation] = await database.sql<{ id: string }[]>`SELECT id FROM installation`
  await new BlobFolder(join(shell.dataDir, 'blobs')).belongsTo(installation?.id ?? '')
})
afterAll(async () => {
  await shell.stop()
  await database.stop()
  await rm(mails, { recursive: true, force: true })
})
beforeEach(() => database.sql`DELETE FROM inbound_mails`.then(() => undefined))

/** As a mail server calls it: the mail on standard input, from a folder of its own. */
async function pipe(raw: Buffer, args: string[], environment: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const file = join(mails, 'mail.eml')
  await writeFile(file, raw)
  const command = [
    'sh',
    ['-c', 'file=$1; shift; exec "$@" < "$file"', 'sh', file, BELLHOP, 'inbound', ...args],
  ] as const
  const { endpoint } = database
  if (endpoint.kind !== 'socket') throw new Error('it is reached by its socket')
  const { user, password, path, database: name } = endpoint
  const host = encodeURIComponent(dirname(path))
  const url = `postgresql://${user}:${encodeURIComponent(password)}@/${name}?host=${host}`
  const options = { cwd: mails, environment: { DATABASE_URL: url, ...environment } }
  return await shell.spawn(command[0], [...command[1]], options).ended
}

const rows = () => database.sql`SELECT * FROM inbound_mails`

describe('a mail server’s pipe', () => {
  it('ends with 0 once the mail is safe, and says nothing', async () => {
    const raw = aMail()
    expect(await pipe(raw, ['--brand', 'acme'])).toMatchObject({ status: 0, out: '', errors: '' })
    const [row] = await rows()
    expect(row).toMatchObject({ brand_id: 'acme', way: 'command', state: 'received', head_only: false })
    const name = row?.sha256.toString('hex')
    expect(await readFile(join(shell.dataDir, 'blobs', name.slice(0, 2), name))).toEqual(raw)
  })

  it('takes 25 MiB, and gives back what is larger', { timeout: 20_000 }, async () => {
    expect(await pipe(Buffer.alloc(25 * MIB, 'x'), ['--brand=acme'])).toMatchObject({ status: 0 })
    expect(await pipe(Buffer.alloc(25 * MIB + 1, 'x'), ['--brand=acme'])).toMatchObject({ status: 65 })
    expect(await rows()).toHaveLength(1)
  })

  it.each([
    ['a brand that is not there', ['--brand', 'nobody'], 67],
    ['no brand', [], 64],
    ['an option that is not there', ['--brand', 'acme', '--bland', 'x'], 64],
  ])('gives a mail back for %s', async (_, args, status) => {
    const ended = await pipe(aMail(), args)
    expect(ended).toMatchObject({ status, out: '' })
    expect(ended.errors).not.toBe('')
    expect(await rows()).toEqual([])
  })

  it('refuses an empty one', async () => {
    expect(await pipe(Buffer.alloc(0), ['--brand', 'acme'])).toMatchObject({ status: 65 })
  })
})

describe('a mail that cannot be kept now', () => {
  it.each([
    ['the database is away', { DATABASE_URL: 'postgresql://127.0.0.1:1/bellhop' }],
    ['no server runs on the folder', { DATABASE_URL: '', DATA_DIR: '/nowhere/data' }],
    ['the folder is another installation’s', { DATA_DIR: join(tmpdir(), 'bellhop-test-none') }],
    ['the brands file is wrong', { BRANDS_FILE: '/nowhere/brands.yaml' }],
    ['the environment is wrong', { PORT: 'eighty' }],
    ['the program breaks off', { NODE_OPTIONS: '--import=/nowhere/broken.mjs' }],
  ])('is tried again where %s', { timeout: 20_000 }, async (_, environment) => {
    const ended = await pipe(aMail(), ['--brand', 'acme'], environment)
    expect(ended).toMatchObject({ status: 75, out: '' })
    expect(ended.errors).not.toContain('ada@example')
    expect(await rows()).toEqual([])
  })

  it('is tried again where the disk takes nothing', async () => {
    const blobs = join(shell.dataDir, 'blobs')
    const raw = aMail('Disk')
    const name = (await import('node:crypto')).hash('sha256', raw)
    // A file stands where the blob's folder should be made.
    await rm(join(blobs, name.slice(0, 2)), { recursive: true, force: true })
    await writeFile(join(blobs, name.slice(0, 2)), '')
    const ended = await pipe(raw, ['--brand', 'acme'])
    expect(ended).toMatchObject({ status: 75, errors: expect.stringContaining('The mail cannot be stored') })
    await rename(join(blobs, name.slice(0, 2)), join(blobs, 'aside'))
    expect(await pipe(raw, ['--brand', 'acme'])).toMatchObject({ status: 0 })
  })
})

it('finds the running server’s own database', { timeout: 60_000 }, async () => {
  const own = await openShell({ used: true })
  try {
    await own.start(['start']).url()
    const ended = await pipe(aMail(), ['--brand', 'acme'], { DATABASE_URL: '', DATA_DIR: own.dataDir })
    expect(ended).toMatchObject({ status: 0, errors: '' })
    const endpoint = await findEmbedded(own.dataDir)
    if (endpoint === null) throw new Error('no server')
    const { sql, close } = openDatabase(endpoint, { max: 1, applicationName: 'vitest' })
    expect(await sql`SELECT way FROM inbound_mails`).toEqual([{ way: 'command' }])
    await close()
  } finally {
    await own.stop()
  }
})
