import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import { OperatorError } from './errors.ts'
import { readOrMakeFile } from './made-once.ts'

const FILE = 'demo-issuer.json'

export type DemoKey = { kid: string; privateKey: JWK; publicKey: JWK }

/**
 * The demo issuer's key pair, made once and kept in DATA_DIR for its owner's eyes only. Whoever comes at the
 * same moment gets the same one.
 * @throws OperatorError where DATA_DIR cannot be written, or the file in it holds no such key
 */
export async function readOrMakeDemoKey(dataDir: string): Promise<DemoKey> {
  return parseKey(await readOrMakeFile(dataDir, FILE, makeKey))
}

async function makeKey(): Promise<string> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  return `${JSON.stringify(await exportJWK(privateKey), null, 2)}\n`
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
