import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { brandOf, startBellhop, type TestBellhop } from '../bellhop.ts'
import { type Speaking, speakingAt, uuidOf } from './speaking.ts'

let bellhop: TestBellhop
let speaking: Speaking
beforeAll(async () => {
  bellhop = await startBellhop({
    brands: (issuer) => [
      brandOf('acme', issuer, { trustedClients: ['backend'] }),
      brandOf('globex', issuer, { requiredScope: 'read' }),
      brandOf('hooli', issuer, { personClaim: 'person' }),
    ],
  })
  speaking = speakingAt(bellhop, ['acme', 'globex', 'hooli'])
})
afterAll(() => bellhop.stop())

let people = 0
/** A person of their own for each test, whose issuer knows their address. */
const somebody = (claims: Record<string, unknown> = {}) => {
  const email = `ada${++people}@example.com`
  return { email, claims: { sub: `per_${people}`, email, email_verified: true, ...claims } }
}
const ask = async (path: string, claims: Record<string, unknown>) =>
  bellhop.ask(`/v1/support/tickets${path}`, {
    headers: { authorization: `Bearer ${await bellhop.issuer.token(claims)}` },
  })
const read = async (ticket: string, claims: Record<string, unknown>) =>
  (await ask(`/${ticket}`, claims)).status
const listed = async (claims: Record<string, unknown>, brand = 'acme') => {
  const { body } = await ask(`?brand_id=${brand}`, claims)
  return (body.data as { ticket_id: string }[]).map((ticket) => ticket.ticket_id)
}
const ownerOf = async (ticket: string) => {
  const [row] = await bellhop.sql`
    SELECT person_id, issuer, updated_at FROM tickets WHERE id = ${uuidOf('tkt', ticket)}`
  return row
}
const claims = (ticket: string) => bellhop.sql`
  SELECT actor, actor_id FROM audit_entries
  WHERE ticket_id = ${uuidOf('tkt', ticket)} AND action = 'ticket.claimed'`

describe('a ticket that came by mail', () => {
  test('is the person’s own once they read it, and that is written down', async () => {
    const ada = somebody()
    const ticket = await speaking.openByMail('acme', ada.email)
    const before = await ownerOf(ticket)
    const answer = await ask(`/${ticket}`, ada.claims)
    expect(answer.status).toBe(200)
    expect(answer.body).toMatchObject({ ticket_id: ticket, person_id: ada.claims.sub, subject: 'By mail' })
    expect(await ownerOf(ticket)).toEqual({
      person_id: ada.claims.sub,
      issuer: bellhop.issuer.url,
      updated_at: before?.updated_at,
    })
    expect(await claims(ticket)).toEqual([{ actor: 'person', actor_id: null }])
    // From here on the address does not matter, and nobody else can have it.
    expect(await read(ticket, { sub: ada.claims.sub })).toBe(200)
    expect(await read(ticket, { ...ada.claims, sub: 'per_eve' })).toBe(404)
    expect(await claims(ticket)).toHaveLength(1)
  })

  test('and once they list theirs, all of one address at once', async () => {
    const ada = somebody()
    const tickets = [
      await speaking.openByMail('acme', ada.email),
      await speaking.openByMail('acme', ada.email.replace('example.com', 'EXAMPLE.com')),
    ]
    const elsewhere = await speaking.openByMail('hooli', ada.email)
    expect(await listed({ ...ada.claims, email: ada.email.replace('example', 'Example') })).toEqual(
      tickets.reverse(),
    )
    expect((await ownerOf(elsewhere))?.person_id).toBe(null)
    expect(await listed({ ...ada.claims, person: 'other' }, 'hooli')).toEqual([elsewhere])
    expect((await ownerOf(elsewhere))?.person_id).toBe('other')
  })

  test('and once they say more on it', async () => {
    const ada = somebody()
    const ticket = await speaking.openByMail('acme', ada.email)
    const answer = await bellhop.ask(`/v1/support/tickets/${ticket}/messages`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await bellhop.issuer.token(ada.claims)}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ body: 'And another thing.' }),
    })
    expect(answer.status).toBe(201)
  })

  test('at once by many requests: each reads it, and one has claimed it', async () => {
    const ada = somebody()
    const ticket = await speaking.openByMail('acme', ada.email)
    const answers = await Promise.all([
      ...Array.from({ length: 8 }, () => read(ticket, ada.claims)),
      ask('?brand_id=acme', ada.claims).then(({ status }) => status),
    ])
    expect(new Set(answers)).toEqual(new Set([200]))
    expect(await claims(ticket)).toHaveLength(1)
  })
})

describe('nobody else reads it', () => {
  test.each<[string, (email: string) => Record<string, unknown>]>([
    ['a token without an address', () => ({ email: undefined })],
    ['an address that is not verified', () => ({ email_verified: false })],
    ['an address of which nothing is said', () => ({ email_verified: undefined })],
    ['"true" as a text', () => ({ email_verified: 'true' })],
    ['another address', () => ({ email: 'eve@example.com' })],
    ['another case of the local part', (email) => ({ email: email.toUpperCase() })],
    ['a list of addresses', (email) => ({ email: [email] })],
    ['an address with NUL', (email) => ({ email: `${email}\u0000` })],
    ['a trusted client', () => ({ sub: undefined, client_id: 'backend' })],
    ['a person whose id is no text', () => ({ sub: undefined, client_id: 'app' })],
    ["another brand's token", () => ({ brand: 'globex' })],
  ])('%s', async (_what, change) => {
    const { email, claims: own } = somebody()
    const ticket = await speaking.openByMail('acme', email)
    const claimed = { ...own, ...change(email) }
    expect(await read(ticket, claimed)).toBe(404)
    const list = await ask('?brand_id=acme&person_id=per_x', claimed)
    expect(list.text).not.toContain(ticket)
    await ask('?brand_id=acme', claimed)
    expect((await ownerOf(ticket))?.person_id).toBe(null)
  })

  test('where the mail had not passed, not even whose address it is', async () => {
    const ada = somebody()
    const ticket = await speaking.openByMail('acme', ada.email, false)
    expect(await read(ticket, ada.claims)).toBe(404)
    expect(await listed(ada.claims)).toEqual([])
    expect((await ownerOf(ticket))?.person_id).toBe(null)
  })

  test('and without the scope of the brand it is not claimed', async () => {
    const ada = somebody()
    const ticket = await speaking.openByMail('globex', ada.email)
    expect(await read(ticket, ada.claims)).toBe(403)
    expect((await ownerOf(ticket))?.person_id).toBe(null)
    expect(await read(ticket, { ...ada.claims, scope: 'read' })).toBe(200)
  })
})
