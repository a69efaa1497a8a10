import { expect, test } from 'vitest'
import { brandsFolder, WRITTEN } from './brands-folder.ts'

test('all mistakes are told at once, in the order of the file', async () => {
  await using folder = await brandsFolder()
  const text = WRITTEN.replace('audience: bellhop', 'audience: ""')
    .replace('name: Acme', 'nmae: Acme')
    .replace('wait: 2s', 'wait: soon')
    .replace('id: globex', 'id: acme')
    .replace('[https://idp.globex.example]', '[https://idp.example]')
    .replace('client_id: bellhop', 'client_id: ""\n      jwks_file: x')
  const places = (await folder.mistakes(text, {})).map((line) => line.split(': ').slice(0, 2).join(' '))
  expect(places).toEqual([
    'brands.yaml:3 issuers[0].audience',
    'brands.yaml:9 issuers[1].introspection.client_id',
    'brands.yaml:10 issuers[1].introspection.jwks_file',
    'brands.yaml:11 issuers[1].introspection.client_secret',
    'brands.yaml:14 brands[0].name',
    'brands.yaml:15 brands[0].nmae',
    'brands.yaml:21 brands[0].wait',
    'brands.yaml:29 brands[1].id',
    'brands.yaml:31 brands[1].issuers[0]',
    'brands.yaml:35 brands[1].desk.secret',
  ])
})

test('no message repeats what the file or the environment says', async () => {
  await using folder = await brandsFolder()
  const canary = 'canary-7f3a'
  const values = WRITTEN.replaceAll(/: (?!\s)(?:.*)$/gm, `: [${canary}, {${canary}: 1}]`)
  const texts = [
    values,
    WRITTEN.replaceAll(/: (\S.*)$/gm, `: "${canary}\\q"`),
    WRITTEN.replaceAll(/: (\S.*)$/gm, `: ${canary}: ${canary}`),
    WRITTEN.replaceAll(/: (\S.*)$/gm, `: ${canary} ] }`),
    WRITTEN.replaceAll(/: (\S.*)$/gm, `: smtp://u:${canary}@x?${canary}=${canary}`),
    WRITTEN.replaceAll(/(\w+): (\S.*)$/gm, `$1: !${canary} *${canary}`),
    WRITTEN.replaceAll('id: acme', `id: acme\n    smtp://u:${canary}@mail: 1`),
    `- ${canary}`,
    canary,
  ]
  for (const text of texts) {
    const mistakes = await folder.mistakes(text)
    expect(mistakes.length).toBeGreaterThan(0)
    expect(mistakes.join('\n')).not.toContain(canary)
  }
  const env = { GLOBEX_INTROSPECTION_SECRET: `${canary}\n`, GLOBEX_WEBHOOK_SECRET: canary }
  const mistakes = await folder.mistakes(WRITTEN, env)
  expect(mistakes.length).toBe(2)
  expect(mistakes.join('\n')).not.toContain(canary)
})
