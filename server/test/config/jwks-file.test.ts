import { generateKeyPairSync } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { brandsFolder, WRITTEN } from './brands-folder.ts'

const PLACE = 'brands.yaml:4: issuers[0].jwks_file'
const withFile = WRITTEN.replace('jwks_uri: https://login.acme.example/jwks', 'jwks_file: ./keys.json')

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const publicKey = { ...ec.publicKey.export({ format: 'jwk' }), kid: 'one' }
let shortRsa: object

beforeAll(() => {
  shortRsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' })
})

describe('an operator keeps an issuer’s keys in a file', () => {
  test('it is looked for beside the brands file and read as it is', async () => {
    await using folder = await brandsFolder()
    const keys = [publicKey, { kty: 'AKP', alg: 'ML-DSA-44', pub: 'x' }]
    await folder.write('keys.json', JSON.stringify({ keys, more: 1 }))
    const { issuers } = await folder.read(withFile)
    expect(issuers[0]).toMatchObject({ keys: { from: 'file', jwks: { keys } } })
  })

  test('a private or a symmetric key in it is refused, since the file is for public ones', async () => {
    await using folder = await brandsFolder()
    const keys = [publicKey, ec.privateKey.export({ format: 'jwk' }), { kty: 'oct', k: 'c2VjcmV0' }]
    await folder.write('keys.json', JSON.stringify({ keys }))
    expect(await folder.mistakes(withFile)).toEqual([
      `${PLACE}: expected only the public half of the key at keys[1] in the file`,
      `${PLACE}: expected a public key and no symmetric one at keys[2] in the file`,
    ])
  })

  test('a broken key and one too short to be safe are refused', async () => {
    await using folder = await brandsFolder()
    await folder.write('keys.json', JSON.stringify({ keys: [{ ...publicKey, y: 'AAAA' }, shortRsa] }))
    expect(await folder.mistakes(withFile)).toEqual([
      `${PLACE}: expected a valid public key at keys[0] in the file`,
      `${PLACE}: expected an RSA key of at least 2048 bits at keys[1] in the file`,
    ])
  })

  test.each([
    ['of another algorithm', { ...publicKey, alg: 'ES384' }],
    ['for encryption', { ...publicKey, use: 'enc' }],
    ['of another curve', generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })],
  ])('a file whose only key is %s can verify nothing', async (_, key) => {
    await using folder = await brandsFolder()
    await folder.write('keys.json', JSON.stringify({ keys: [key] }))
    expect(await folder.mistakes(withFile)).toEqual([`${PLACE}: expected a key for ES256 in the file`])
  })

  test.each(['', '{', '[]', 'null', '{"keys": {}}', '{"keys": [1]}'])('not a key set: %s', async (text) => {
    await using folder = await brandsFolder()
    await folder.write('keys.json', text)
    expect(await folder.mistakes(withFile)).toEqual([
      `${PLACE}: expected a JSON Web Key Set in the file, {"keys": […]}`,
    ])
  })

  test('a file that is not there is told with the other mistakes', async () => {
    await using folder = await brandsFolder()
    expect(await folder.mistakes(withFile.replace('name: Acme', 'name: ""'))).toEqual([
      `${PLACE}: expected a file that can be read (ENOENT)`,
      'brands.yaml:14: brands[0].name: expected a text of 1 to 200 characters, without line breaks',
    ])
  })
})
