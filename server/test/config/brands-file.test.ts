import { describe, expect, test } from 'vitest'
import { readBrandsFile } from '../../src/config.ts'
import { brandsFolder, SECRETS, variable, WRITTEN } from './brands-folder.ts'

describe('an operator starts with a brands file', () => {
  test('the file of the manual is read with every default filled in', async () => {
    await using folder = await brandsFolder()
    expect(await folder.read(WRITTEN)).toStrictEqual({
      issuers: [
        {
          kind: 'jwt',
          issuer: 'https://login.acme.example',
          audience: 'bellhop',
          algorithms: ['ES256'],
          keys: { from: 'uri', uri: 'https://login.acme.example/jwks' },
        },
        {
          kind: 'introspection',
          issuer: 'https://idp.globex.example',
          audience: null,
          endpoint: 'https://idp.globex.example/introspect',
          clientId: 'bellhop',
          clientSecret: SECRETS.GLOBEX_INTROSPECTION_SECRET,
          tokenPrefix: 'gbx_',
        },
      ],
      brands: [
        {
          id: 'acme',
          name: 'Acme',
          issuers: ['https://login.acme.example'],
          personClaim: 'sub',
          brandClaim: 'brand',
          requiredScope: null,
          trustedClients: [],
          wait: 2000,
          ticketsPerMinute: 30,
          origins: ['https://app.acme.example'],
          desk: {
            connector: 'smtp',
            url: 'smtp://127.0.0.1:2525',
            from: { name: 'Acme Support', address: 'support@acme.example' },
            to: { name: '', address: 'helpdesk@acme.example' },
            conversation: 'direct',
            agents: [],
          },
          mail: null,
          reply: null,
          inbound: null,
          acknowledge: 'verified',
          answers: 'always',
          private: false,
          ticketUrl: null,
          templates: {},
        },
        {
          id: 'globex',
          name: 'Globex',
          issuers: ['https://idp.globex.example'],
          personClaim: 'sub',
          brandClaim: 'brand',
          requiredScope: null,
          trustedClients: [],
          wait: 2000,
          ticketsPerMinute: 30,
          origins: [],
          desk: {
            connector: 'webhook',
            url: 'https://desk.globex.example/tickets',
            secret: SECRETS.GLOBEX_WEBHOOK_SECRET,
          },
          mail: null,
          reply: null,
          inbound: null,
          acknowledge: 'verified',
          answers: 'always',
          private: false,
          ticketUrl: null,
          templates: {},
        },
      ],
    })
  })

  test('the example that comes with Bellhop is taken as it is', async () => {
    const example = new URL('../../brands.example.yaml', import.meta.url).pathname
    const { issuers, brands } = await readBrandsFile(example, {
      ...SECRETS,
      ACME_SMTP_PASSWORD: 'p%40ss',
      ACME_IMAP_PASSWORD: 'p%40ss',
      ACME_REPLY_KEY: Buffer.alloc(32, 1).toString('base64'),
    })
    expect(issuers.map((issuer) => issuer.kind)).toEqual(['jwt', 'introspection'])
    expect(brands.map((brand) => brand.desk.connector)).toEqual(['smtp', 'webhook', 'inbox'])
    expect(brands[0]?.desk).toMatchObject({ url: 'smtps://bellhop:p%40ss@mail.acme.example' })
  })

  test('an issuer with neither keys nor introspection is discovered, with the default algorithms', async () => {
    await using folder = await brandsFolder()
    const text = WRITTEN.replace(/ {4}jwks_uri.*\n {4}algorithms.*\n/, '')
    expect((await folder.read(text)).issuers[0]).toMatchObject({
      algorithms: ['ES256', 'RS256', 'PS256', 'EdDSA'],
      keys: { from: 'discovery' },
    })
  })

  test('a brand may ask for more than the defaults', async () => {
    await using folder = await brandsFolder()
    const text = WRITTEN.replace('null', '"write:support-tickets"')
      .replace('trusted_clients: []', 'trusted_clients: [crm, crm-eu]')
      .replace('wait: 2s', 'wait: 500ms')
      .replace('per_minute: 30', 'per_minute: 0')
      .replace('person_claim: sub', 'person_claim: https://acme.example/person')
    expect((await folder.read(text)).brands[0]).toMatchObject({
      requiredScope: 'write:support-tickets',
      trustedClients: ['crm', 'crm-eu'],
      wait: 500,
      ticketsPerMinute: 0,
      personClaim: 'https://acme.example/person',
    })
  })

  test('brands that share settings may repeat them by an alias', async () => {
    await using folder = await brandsFolder()
    const text = WRITTEN.replace('origins: [', 'origins: &apps [').replace(
      'name: Globex\n',
      'name: Globex\n    origins: *apps\n',
    )
    expect((await folder.read(text)).brands[1]?.origins).toEqual(['https://app.acme.example'])
  })
})

describe('a variable stands in the file', () => {
  test.each([': {}[]#&*!|>\'"%@`', '- a', variable('HOME'), 'null', '123', '~', ' outer ', '$&$1'])(
    'what it holds stays one text: %s',
    async (value) => {
      await using folder = await brandsFolder()
      const { issuers } = await folder.read(WRITTEN, { ...SECRETS, GLOBEX_INTROSPECTION_SECRET: value })
      expect(issuers[1]).toMatchObject({ clientSecret: value })
    },
  )

  test('it may stand inside a longer text, more than once, in quotes and in a block', async () => {
    await using folder = await brandsFolder()
    const text = WRITTEN.replace('name: Acme', `name: "${variable('A')}-${variable('B')}$"`).replace(
      'name: Globex',
      `name: >-\n      ${variable('A')}\n      ${variable('B')}`,
    )
    const { brands } = await folder.read(text, { ...SECRETS, A: 'one', B: 'two' })
    expect(brands.map((brand) => brand.name)).toEqual(['one-two$', 'one two'])
  })

  test('in a comment or a key it means nothing', async () => {
    await using folder = await brandsFolder()
    expect(await folder.mistakes(`# \${NOT_SET}\n${WRITTEN}`)).toEqual([])
    expect(await folder.mistakes(`${WRITTEN}\${GLOBEX_WEBHOOK_SECRET}: 1\n`)).toEqual([
      'brands.yaml:35: unknown key, expected one of issuers, brands',
    ])
  })

  test('an empty one stops the start as an unset one does', async () => {
    await using folder = await brandsFolder()
    expect(await folder.mistakes(WRITTEN, { ...SECRETS, GLOBEX_WEBHOOK_SECRET: '' })).toEqual([
      'brands.yaml:34: brands[1].desk.secret: expected the environment variable GLOBEX_WEBHOOK_SECRET to be set and not empty',
    ])
  })
})
