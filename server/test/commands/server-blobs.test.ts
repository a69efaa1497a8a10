import { chown, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readInstallation } from '../../src/blobs/blob.store.ts'
import { BlobFolder } from '../../src/blobs/blob-folder.ts'
import { openServerBlobs } from '../../src/commands/server-blobs.ts'
import type { Environment } from '../../src/config.ts'
import { createTestDatabase, type TestDatabase } from '../database/test-database.ts'

let made: TestDatabase
let dataDir: string
beforeAll(async () => {
  made = await createTestDatabase()
  dataDir = await mkdtemp(join(tmpdir(), 'bellhop-test-'))
  await mkdir(join(dataDir, 'blobs'))
})
afterAll(async () => {
  await made.stop()
  await rm(dataDir, { recursive: true, force: true })
})

const opened = () => openServerBlobs({ dataDir } as Environment, made.sql)

test('bytes are put only where the server finds them, and by whom it can read them from', async () => {
  await expect(opened()).rejects.toThrow('DATA_DIR: expected that of the server')
  await new BlobFolder(join(dataDir, 'blobs')).belongsTo(await readInstallation(made.sql))
  await opened()
  if (process.getuid?.() !== 0) return
  // A server of an ordinary user could not read what root puts there.
  await chown(join(dataDir, 'blobs/installation'), 65_534, 65_534)
  await expect(opened()).rejects.toThrow('as the user that the server runs as')
})
