import { expect, test } from 'vitest'
import { brandsFolder, expectMistakes, type MistakeRow, WRITTEN } from './brands-folder.ts'

const UNKNOWN = 'brands[1].issuers[0]: expected the issuer of an entry under issuers'

const rows: MistakeRow[] = [
  [
    'an unknown key',
    'audience:',
    'aud: 1\n    audience:',
    '3: issuers[0].aud: unknown key, expected one of issuer, audience,',
  ],
  [
    'two of one name',
    'issuer: https://idp.globex.example',
    'issuer: https://login.acme.example',
    '6: issuers[1].issuer: duplicate, expected another issuer than issuers[0] has',
    `30: ${UNKNOWN}`,
  ],
  [
    'by http',
    'issuer: https://idp',
    'issuer: http://idp',
    '6: issuers[1].issuer: expected the exact iss',
    `30: ${UNKNOWN}`,
  ],
  [
    'with a query',
    'issuer: https://idp.globex.example',
    'issuer: https://idp.globex.example?',
    '6: issuers[1].issuer: expected the exact iss',
    `30: ${UNKNOWN}`,
  ],
  [
    'keys by http',
    'jwks_uri: https',
    'jwks_uri: http',
    '4: issuers[0].jwks_uri: expected an https:// URL (http:// only to loopback)',
  ],
  [
    'keys behind a password',
    'jwks_uri: https://',
    'jwks_uri: https://u:p@',
    '4: issuers[0].jwks_uri: expected an https:// URL',
  ],
  [
    'introspection by http',
    'endpoint: https',
    'endpoint: http',
    '8: issuers[1].introspection.endpoint: expected an https:// URL',
  ],
  [
    'no client secret',
    /\n.*client_secret.*/,
    '',
    '7: issuers[1].introspection.client_secret: missing, expected a text of printable ASCII',
  ],
  [
    'a prefix that no token has',
    'gbx_',
    '"gbx "',
    '11: issuers[1].introspection.token_prefix: expected 1 to 64',
  ],
  ['no audience', '    audience: bellhop\n', '', '2: issuers[0].audience: missing, expected one audience'],
  ['HMAC', '[ES256]', '[ES256, HS256]', '5: issuers[0].algorithms[1]: expected one of ES256'],
  ['the algorithm none', '[ES256]', '[none]', '5: issuers[0].algorithms[0]: expected one of ES256'],
  ['no algorithm', '[ES256]', '[]', '5: issuers[0].algorithms: expected a list of at least one'],
  [
    'keys for tokens that are introspected',
    '    introspection:',
    '    jwks_uri: https://a.example\n    introspection:',
    '6: issuers[1]: expected at most one of jwks_uri, jwks_file and introspection, not jwks_uri and introspection',
  ],
  [
    'algorithms for tokens that are introspected',
    '    introspection:',
    '    algorithms: [ES256]\n    introspection:',
    '7: issuers[1].algorithms: expected no algorithms beside introspection',
  ],
  [
    'no entry',
    /issuers:\n[\s\S]*brands:/,
    'issuers: []\nbrands:',
    '1: issuers: expected a list of at least one issuer',
    '5: brands[0].issuers[0]: expected',
    '20: brands[1].issuers[0]: expected',
  ],
]

test.each(rows)('an issuer: %s', async (...row) => expectMistakes(row))

test('an issuer on this machine may be reached by http', async () => {
  await using folder = await brandsFolder()
  for (const host of ['localhost:9000', '127.0.0.1:9000', '[::1]:9000']) {
    const quoted = WRITTEN.replace('[https://login.acme.example]', '["https://login.acme.example"]')
    const { issuers } = await folder.read(quoted.replaceAll('https://login.acme.example', `http://${host}`))
    expect(issuers[0]).toMatchObject({ issuer: `http://${host}`, keys: { uri: `http://${host}/jwks` } })
  }
})

test('two issuers that introspect must each have a prefix that tells their tokens apart', async () => {
  await using folder = await brandsFolder()
  const second = (prefix: string) =>
    WRITTEN.replace(
      'brands:',
      `  - issuer: https://idp.initech.example\n    introspection: {endpoint: "https://i.example", client_id: a, client_secret: b${prefix}}\nbrands:`,
    )
  const place = 'brands.yaml:13: issuers[2].introspection.token_prefix'
  expect(await folder.mistakes(second(', token_prefix: ini_'))).toEqual([])
  expect(await folder.mistakes(second(''))).toEqual([
    `${place}: missing, expected a prefix, since more than one issuer introspects`,
  ])
  for (const prefix of ['gbx_', 'gbx_2', 'gb']) {
    expect(await folder.mistakes(second(`, token_prefix: ${prefix}`))).toEqual([
      `${place}: expected a prefix that neither begins with the one of issuers[1] nor begins it`,
    ])
  }
})
