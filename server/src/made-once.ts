import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { OperatorError } from './errors.ts'

/**
 * The text of a file in DATA_DIR that Bellhop makes itself, once, for its owner's eyes only. Whoever comes at the same
 * moment gets the same one.
 * @param name of the file
 * @param make the text, where there is no such file yet
 * @throws OperatorError where DATA_DIR cannot be read or written
 */
export async function readOrMakeFile(
  dataDir: string,
  name: string,
  make: () => Promise<string> | string,
): Promise<string> {
  const path = join(dataDir, name)
  try {
    return (await readText(path)) ?? (await makeFile(dataDir, path, await make()))
  } catch (error) {
    if (error instanceof Error && 'code' in error && 'syscall' in error) {
      throw new OperatorError(
        `DATA_DIR: expected a folder where ${name} can be read and written (${error.code})`,
      )
    }
    throw error
  }
}

async function readText(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}

/**
 * Writes a file beside its place and links it there. A rename would put the second of two starters' files over the
 * first's, who would go on with what no longer holds; a link fails where the name is taken.
 */
async function makeFile(dataDir: string, path: string, text: string): Promise<string> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const draft = `${path}.${randomUUID()}`
  try {
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await link(draft, path).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    })
  } finally {
    await rm(draft, { force: true })
  }
  return readFile(path, 'utf8')
}
