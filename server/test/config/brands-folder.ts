import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { type BrandsFile, readBrandsFile } from '../../src/config.ts'
import { OperatorError } from '../../src/errors.ts'

/** A variable as the file takes it. */
export const variable = (name: string) => `\${${name}}`

/** The variables that {@link WRITTEN} names. */
export const SECRETS = {
  GLOBEX_INTROSPECTION_SECRET: `hunter2: {#*&} ${variable('HOME')} "x"`,
  GLOBEX_WEBHOOK_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
}

/** The brands file as the design shows it. */
export const WRITTEN = `issuers:
  - issuer: https://login.acme.example        # the exact iss
    audience: bellhop
    jwks_uri: https://login.acme.example/jwks
    algorithms: [ES256]
  - issuer: https://idp.globex.example
    introspection:
      endpoint: https://idp.globex.example/introspect
      client_id: bellhop
      client_secret: \${GLOBEX_INTROSPECTION_SECRET}
      token_prefix: gbx_
brands:
  - id: acme
    name: Acme
    issuers: [https://login.acme.example]
    person_claim: sub
    brand_claim: brand
    required_scope: null
    trusted_clients: []
    wait: 2s
    tickets_per_minute: 30
    origins: [https://app.acme.example]
    desk:
      connector: smtp
      url: smtp://127.0.0.1:2525
      from: Acme Support <support@acme.example>
      to: helpdesk@acme.example
  - id: globex
    name: Globex
    issuers: [https://idp.globex.example]
    desk:
      connector: webhook
      url: https://desk.globex.example/tickets
      secret: \${GLOBEX_WEBHOOK_SECRET}
`

/** A temporary folder that an operator keeps a brands file in; it is removed with `await using`. */
export async function brandsFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'bellhop-brands-'))
  const path = join(folder, 'brands.yaml')
  return {
    folder,
    path,
    write: (name: string, content: string | Uint8Array) => writeFile(join(folder, name), content),
    /** Reads this text as the brands file. */
    async read(text: string | Uint8Array, env: NodeJS.ProcessEnv = SECRETS): Promise<BrandsFile> {
      await writeFile(path, text)
      return readBrandsFile(path, env)
    },
    /** The lines that the operator sees, without the folder; empty where the file is taken. */
    async mistakes(text: string | Uint8Array, env: NodeJS.ProcessEnv = SECRETS): Promise<string[]> {
      await writeFile(path, text)
      return linesOf(readBrandsFile(path, env), `${folder}/`)
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

/** The lines of an OperatorError; any other error is a failure of the test. */
export async function linesOf(work: Promise<unknown>, prefix = ''): Promise<string[]> {
  try {
    await work
    return []
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error
    return error.message.replaceAll(prefix, '').split('\n')
  }
}

/** A row of a table of mistakes: what it is, what is changed in {@link WRITTEN}, and how each line begins. */
export type MistakeRow = [what: string, from: string | RegExp, to: string, ...lines: string[]]

/** Makes the change, and expects these lines and no others. */
export async function expectMistakes([, from, to, ...lines]: MistakeRow): Promise<void> {
  await using folder = await brandsFolder()
  const text = WRITTEN.replace(from, () => to)
  expect(text).not.toBe(WRITTEN)
  const mistakes = await folder.mistakes(text)
  expect(mistakes.map((mistake, index) => mistake.slice(0, `brands.yaml:${lines[index]}`.length))).toEqual(
    lines.map((line) => `brands.yaml:${line}`),
  )
}
