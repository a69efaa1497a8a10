import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import { OperatorError } from './errors.ts'

const FILE = 'demo-issuer.json'

export type DemoKey = { kid: string; privateKey: JWK; publicKey: JWK }

/**
 * The demo issuer's key pair, made once and kept in DATA_DIR for its owner's eyes only. Whoever comes at the
 * same moment gets the same one.
 * @throws OperatorError where DATA_DIR cannot be written, or the file in it holds no such key
 */
export async function readOrMakeDemoKey(dataDir: string): Promise<DemoKey> {
  const path = join(dataDir, FILE)
  try {
    const text = (await readText(path)) ?? (await makeKey(dataDir, path))
    return await parseKey(text)
  } catch (error) {
    if (error instanceof OperatorError) throw error
    if (error instanceof Error && 'code' in error && 'syscall' in error) {
      throw new OperatorError(
        `DATA_DIR: expected a folder where ${FILE} can be read and written (${error.code})`,
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
 * Writes a new key beside its place and links it there. A rename would put the second of two starters' keys
 * over the first's, who would go on with a key that no longer verifies; a link fails where the name is taken.
 */
async function makeKey(dataDir: string, path: string): Promise<string> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const draft = `${path}.${randomUUID()}`
  try {
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(`${JSON.stringify(await exportJWK(privateKey), null, 2)}\n`)
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

async function parseKey(text: string): Promise<DemoKey> {
  try {
    const privateKey = JSON.parse(text) as JWK
    const { kty, crv, x, y, d } = privateKey
    if (kty !== 'EC' || crv !== 'P-256' || d === undefined) throw new Error('another key')
    await importJWK(privateKey, 'ES256')
    const publicKey = { kty, crv, x: x ?? '', y: y ?? '' }
    const kid = await calculateJwkThumbprint(publicKey)
    return { kid, privateKey, publicKey: { ...publicKey, kid, alg: 'ES256', use: 'sig' } }
  } catch {
    throw new OperatorError(
      `DATA_DIR: expected an ES256 key in ${FILE}; remove the file, and a new key is made`,
    )
  }
}
