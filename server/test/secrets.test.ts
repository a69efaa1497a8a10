import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { OperatorError } from '../src/errors.ts'
import { readOrMakeSecret, readToken, signToken } from '../src/secrets.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bellhop-test-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

describe('a secret that Bellhop makes', () => {
  test('is made once, for its owner alone, and whoever comes at the same moment has the same', async () => {
    const dataDir = join(folder, 'data')
    const made = await Promise.all(Array.from({ length: 20 }, () => readOrMakeSecret(dataDir, 'secret')))
    const again = await readOrMakeSecret(dataDir, 'secret')
    expect(again.length).toBe(32)
    for (const secret of made) expect(secret.equals(again)).toBe(true)
    expect((await stat(join(dataDir, 'secret'))).mode & 0o777).toBe(0o600)
    expect(await readdir(dataDir)).toEqual(['secret'])
    expect((await readOrMakeSecret(dataDir, 'other')).equals(again)).toBe(false)
  })

  test.each(['', 'short', 'c2hvcnQ='])('a file with %j in it is the operator’s to mend', async (text) => {
    await writeFile(join(folder, 'secret'), text)
    await expect(readOrMakeSecret(folder, 'secret')).rejects.toThrow(OperatorError)
  })

  test('so is a folder that is none', async () => {
    await writeFile(join(folder, 'file'), '')
    await expect(readOrMakeSecret(join(folder, 'file'), 'secret')).rejects.toThrow(OperatorError)
  })
})

describe('a token', () => {
  const secret = Buffer.alloc(32, 1)

  test('is read back, by whoever has the secret and for its purpose', () => {
    for (const payload of ['', '1 2', 'ä😀"']) {
      const token = signToken(secret, 'list', payload)
      expect(token).toMatch(/^[\w.-]+$/)
      expect(readToken(secret, 'list', token)).toBe(payload)
      expect(readToken(secret, 'events', token)).toBe(null)
      expect(readToken(Buffer.alloc(32, 2), 'list', token)).toBe(null)
    }
  })

  test('with anything changed is none', () => {
    const token = signToken(secret, 'list', 'payload')
    const wrong = [...token].map(
      (char, at) => token.slice(0, at) + (char === 'A' ? 'B' : 'A') + token.slice(at + 1),
    )
    for (const text of [...wrong, '', '.', `${token} `, `${token}A`, token.slice(1), `${token}.${token}`])
      expect(readToken(secret, 'list', text)).toBe(null)
  })
})
