import { execFile } from 'node:child_process'
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { inject } from 'vitest'
import { startEmbedded } from '../../src/database/embedded/embedded.ts'
import { migrate } from '../../src/database/migrations.ts'
import { MIGRATIONS, silent } from './test-database.ts'

/** Makes a DATA_DIR as a first start leaves it, its database migrated: a copy, since to make one takes seconds. */
export async function copyUsedDataDir(dataDir: string): Promise<void> {
  const original = await ensureOriginal(inject('usedDataDirs'))
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  await promisify(execFile)('cp', ['-a', `${original}/.`, dataDir])
}

/** Made once a run by whichever file comes first; of two that come together, one throws its own away. */
async function ensureOriginal(folder: string): Promise<string> {
  const original = join(folder, 'original')
  if (await isThere(original)) return original
  const draft = await mkdtemp(join(folder, 'draft-'))
  const server = await startEmbedded({ dataDir: draft, command: 'vitest', log: silent })
  try {
    await migrate(server.endpoint, MIGRATIONS)
  } finally {
    await server.stop()
  }
  try {
    await rename(draft, original)
  } catch (error) {
    await rm(draft, { recursive: true })
    if (!(await isThere(original))) throw error
  }
  return original
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
