import { randomBytes } from 'node:crypto'
import { open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncFolder } from '../../sync-folder.ts'

/**
 * The embedded database's password, made at the first start: 192 random bits, in a file of mode 0600 that is
 * whole or not there.
 */
export async function ensurePassword(path: string): Promise<string> {
  const kept = await readPassword(path)
  if (kept !== null) return kept
  const password = randomBytes(24).toString('base64url')
  const draft = `${path}.new`
  const file = await open(draft, 'w', 0o600)
  try {
    await file.chmod(0o600)
    await file.writeFile(password)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
  await syncFolder(dirname(path))
  return password
}

/** Null where none was made yet. */
export async function readPassword(path: string): Promise<string | null> {
  try {
    const password = await readFile(path, 'utf8')
    return password === '' ? null : password
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}
