import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, brandOf, startBellhop, type TestBellhop } from '../bellhop.ts'
import { type Speaking, speakingAt, uuidOf } from './speaking.ts'

let bellhop: TestBellhop
let desk: Speaking
beforeAll(async () => {
  bellhop = await startBellhop({
    brands: (issuer) => [
      brandOf('acme', issuer, { trustedClients: ['backend'] }),
      brandOf('globex', issuer, { requiredScope: 'read' }),
      brandOf('initech', issuer, { issuers: ['https://login.initech.example'] }),
    ],
  })
  desk = speakingAt(bellhop)
})
afterAll(() => bellhop.stop())

const bearer = async (claims: Record<string, unknown>) => ({
  authorization: `Bearer ${await bellhop.issuer.token(claims)}`,
})
/** A person of their own for each test, with a way to file and to list. */
let persons = 0
async function somebody(claims: Record<string, unknown> = {}) {
  const person = `per_${++persons}`
  const headers = await bearer({ sub: person, ...claims })
  const list = (query = '') => bellhop.ask(`/v1/support/tickets?brand_id=acme${query}`, { headers })
  const file = async () => (await bellhop.file({ person_id: person }, headers)).body.ticket_id as string
  return { person, headers, list, file }
}
type Item = { ticket_id: string; updated_at: string; status: string }
const itemsOf = ({ status, body }: Answer): Item[] => {
  expect([status, body.error]).toEqual([200, undefined])
  return body.data as Item[]
}
const idsOf = (answer: Answer) => itemsOf(answer).map((item) => item.ticket_id)

/** Reads to the end, `limit` at a time, doing something between the pages. */
async function readAll(list: (query?: string) => Promise<Answer>, query: string, between = async () => {}) {
  const ids: string[] = []
  for (let cursor: unknown = ''; cursor !== null; ) {
    const answer = await list(`${query}${cursor ? `&cursor=${cursor}` : ''}`)
    ids.push(...idsOf(answer))
    cursor = answer.body.next_cursor
    await between()
  }
  return ids
}

describe('a customer lists their tickets', () => {
  test('and sees their own, as each is, and nothing of what was said', async () => {
    const ada = await somebody()
    const bob = await somebody()
    await bob.file()
    expect((await ada.list()).body).toEqual({ data: [], next_cursor: null })
    const id = await ada.file()
    const answer = await ada.list()
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const { messages, ...summary } = (await bellhop.ask(`/v1/support/tickets/${id}`, ada)).body
    expect(messages).toHaveLength(1)
    expect(answer.body).toEqual({ data: [summary], next_cursor: null })
  })

  test('what moved last first, whoever moved it', async () => {
    const ada = await somebody()
    const [first, second, third] = [await ada.file(), await ada.file(), await ada.file()]
    expect(idsOf(await ada.list())).toEqual([third, second, first])
    await desk.say(first)
    await desk.setStatus(second, 'pending')
    expect(idsOf(await ada.list())).toEqual([second, first, third])
    expect(idsOf(await ada.list('&status=pending'))).toEqual([second])
    expect(idsOf(await ada.list('&status=closed'))).toEqual([])
  })

  test('page by page, none twice and none left out, also those of one moment', async () => {
    const ada = await somebody()
    const ids = await Promise.all(Array.from({ length: 7 }, ada.file))
    const same = ids.slice(0, 4).map((id) => uuidOf('tkt', id))
    await bellhop.sql`
      UPDATE tickets SET updated_at = timestamptz '2026-05-05 10:00:00.123456+00' WHERE id IN ${bellhop.sql(same)}`
    const all = idsOf(await ada.list())
    for (const limit of [1, 2, 3, 7]) expect(await readAll(ada.list, `&limit=${limit}`)).toEqual(all)
    expect(new Set(all)).toEqual(new Set(ids))
  })

  test('the place is kept to the microsecond', async () => {
    const ada = await somebody()
    const ids = [await ada.file(), await ada.file(), await ada.file()]
    for (const [index, id] of ids.entries()) {
      const moved = `2026-05-05 10:00:00.12300${index + 1}+00`
      await bellhop.sql`UPDATE tickets SET updated_at = ${moved}::text::timestamptz WHERE id = ${uuidOf('tkt', id)}`
    }
    expect(await readAll(ada.list, '&limit=1')).toEqual(ids.reverse())
  })

  test('one that moves between two pages is not lost: it stands at the front of the next look', async () => {
    const ada = await somebody()
    const ids = await Promise.all(Array.from({ length: 6 }, ada.file))
    const before = idsOf(await ada.list())
    let moved = ''
    const read = await readAll(ada.list, '&limit=2', async () => {
      if (moved !== '') return
      moved = before[3] ?? ''
      await desk.say(moved)
    })
    expect([...read].sort()).toEqual(ids.filter((id) => id !== moved).sort())
    expect(idsOf(await ada.list())[0]).toBe(moved)
  })

  test('twenty unless told, a hundred at most', async () => {
    const ada = await somebody()
    await Promise.all(Array.from({ length: 21 }, ada.file))
    const page = await ada.list()
    expect([idsOf(page).length, page.body.next_cursor]).toEqual([20, expect.any(String)])
    expect(idsOf(await ada.list('&limit=100'))).toHaveLength(21)
  })
})

describe('the question is checked', () => {
  test.each([
    ['no brand', '/v1/support/tickets', 'brand_id'],
    ['an empty brand', '/v1/support/tickets?brand_id=', 'brand_id'],
    ['two brands', '?brand_id=acme&brand_id=globex', 'brand_id'],
    ['NUL', '?brand_id=acme&person_id=%00', 'person_id'],
    ['two persons', '?brand_id=acme&person_id=a&person_id=a', 'person_id'],
    ['an unknown status', '?brand_id=acme&status=Open', 'status'],
    ['an empty status', '?brand_id=acme&status=', 'status'],
    ...['0', '101', '1000', '-1', '1.5', '1e1', '%201', '', 'x'].map((limit) => [
      `limit ${JSON.stringify(limit)}`,
      `?brand_id=acme&limit=${limit}`,
      'limit',
    ]),
    ['a cursor that is none', '?brand_id=acme&cursor=x', 'cursor'],
    ['an empty cursor', '?brand_id=acme&cursor=', 'cursor'],
    ['a cursor of our form', `?brand_id=acme&cursor=MSAy.${'A'.repeat(22)}`, 'cursor'],
  ])('%s', async (_what, query, name) => {
    const path = query.startsWith('/') ? query : `/v1/support/tickets${query}`
    const answer = await bellhop.ask(path)
    expect([answer.status, answer.body.error]).toEqual([400, 'validation_error'])
    expect(answer.body.message).toMatch(new RegExp(`^${name} `))
  })

  test('what is not ours is let be', async () => {
    const ada = await somebody()
    expect((await ada.list('&utm_source=x&utm_source=y&__proto__=z&constructor=a')).status).toBe(200)
  })

  test('a cursor holds for the list that it is of, and for no other', async () => {
    const ada = await somebody()
    const bob = await somebody()
    await ada.file()
    await ada.file()
    const cursor = String((await ada.list('&limit=1')).body.next_cursor)
    expect((await ada.list(`&cursor=${cursor}`)).status).toBe(200)
    const turned = `${cursor.slice(0, -1)}${cursor.endsWith('A') ? 'Q' : 'A'}`
    const scope = { headers: await bearer({ sub: ada.person, scope: 'read' }) }
    for (const answer of [
      await bob.list(`&cursor=${cursor}`),
      await ada.list(`&cursor=${turned}`),
      await ada.list(`&status=open&cursor=${cursor}`),
      await bellhop.ask(`/v1/support/tickets?brand_id=globex&cursor=${cursor}`, scope),
    ]) {
      expect([answer.status, answer.body.error]).toEqual([400, 'validation_error'])
      expect(answer.text).not.toContain(cursor)
    }
  })

  test('another process reads the cursors of this one', async () => {
    const beside = await startBellhop({ beside: bellhop })
    const ada = await somebody()
    const [older] = [await ada.file(), await ada.file()]
    const cursor = (await ada.list('&limit=1')).body.next_cursor
    const answer = await beside.ask(`/v1/support/tickets?brand_id=acme&cursor=${cursor}`, ada)
    await beside.stop()
    expect(idsOf(answer)).toEqual([older])
  })
})

describe('whose tickets', () => {
  const refused = async (query: string, claims: Record<string, unknown>) => {
    const answer = await bellhop.ask(`/v1/support/tickets${query}`, { headers: await bearer(claims) })
    return [answer.status, answer.body.error]
  }

  test('only one’s own, and only where the token speaks for the brand', async () => {
    expect(await refused('?brand_id=nobody', {})).toEqual([400, 'unknown_brand'])
    expect(await refused('?brand_id=initech', {})).toEqual([403, 'forbidden_brand'])
    expect(await refused('?brand_id=acme', { brand: 'globex' })).toEqual([403, 'forbidden_brand'])
    expect(await refused('?brand_id=acme&person_id=per_eve', {})).toEqual([403, 'forbidden_person'])
    expect(await refused('?brand_id=globex', {})).toEqual([403, 'insufficient_scope'])
    expect(await refused('?brand_id=globex&person_id=per_eve', {})).toEqual([403, 'forbidden_person'])
    expect(await refused('?brand_id=acme&person_id=per_ada', { sub: 'per_ada' })).toEqual([200, undefined])
  })

  test('a trusted client names the person', async () => {
    const ada = await somebody()
    const id = await ada.file()
    const client = { sub: undefined, client_id: 'backend' }
    const headers = await bearer(client)
    const answer = await bellhop.ask(`/v1/support/tickets?brand_id=acme&person_id=${ada.person}`, { headers })
    expect(idsOf(answer)).toEqual([id])
    expect(await refused('?brand_id=acme', client)).toEqual([400, 'validation_error'])
    expect(await refused('?brand_id=acme', { ...client, client_id: 'other' })).toEqual([
      403,
      'forbidden_person',
    ])
  })

  test('a person of any length and script', async () => {
    const person = `per_${'ä😀'.repeat(300)}`
    const headers = await bearer({ sub: person })
    const { body } = await bellhop.file({ person_id: person }, headers)
    expect(idsOf(await bellhop.ask('/v1/support/tickets?brand_id=acme', { headers }))).toEqual([
      body.ticket_id,
    ])
  })
})

test('nothing that was asked for, or found, is logged', async () => {
  const ada = await somebody()
  await ada.file()
  await ada.list('&person_id=per_canary&status=open')
  expect(bellhop.logged()).toContain('/v1/support/tickets"')
  expect(bellhop.logged()).not.toContain('canary')
})
