import fc from 'fast-check'
import type { Case } from './case.ts'
import { ORIGIN, type People } from './persons.ts'
import type { Operation, Schema } from './surface.ts'
import { bodiesOf, filing, pick } from './ticket-cases.ts'
import { CANARY } from './values.ts'

type Change = (one: Case) => Case

/** Tickets whose headers were changed. */
export function headerCases(operation: Operation, { persons }: People): fc.Arbitrary<Case> {
  return fc
    .tuple(fc.nat({ max: persons.length - 1 }), bodiesOf(operation), changesOf(operation))
    .map(([index, make, change]) => {
      const person = pick(persons, index)
      return change(filing(operation, person, Buffer.from(JSON.stringify(make(person)))))
    })
}

function changesOf(operation: Operation): fc.Arbitrary<Change> {
  return fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...CONTENT_TYPES).map(contentType) },
    { weight: 2, arbitrary: fc.constantFrom('gzip', 'br', `${CANARY}`, 'gzip, gzip').map(encoding) },
    { weight: 8, arbitrary: keysOf(operation.headers).map(keyed) },
    { weight: 2, arbitrary: fc.tuple(token, value).map(odd) },
    { weight: 2, arbitrary: fc.constantFrom<[string, string]>(...HARMLESS).map(odd) },
    { weight: 1, arbitrary: fc.nat({ max: 60 }).map(many) },
    { weight: 1, arbitrary: fc.constant(tooMany) },
    { weight: 1, arbitrary: fc.constantFrom<string[]>(['a', 'b'], ['a b'], [''], []).map(hosts) },
    { weight: 2, arbitrary: fc.constant<Change>((one) => ({ ...one, what: 'in chunks', chunked: true })) },
    { weight: 1, arbitrary: fc.constantFrom('99999999999', `${27 * 1024 * 1024}`).map(tooLong) },
    { weight: 1, arbitrary: fc.constant(asksFirst) },
  )
}

const CONTENT_TYPES: [type: string | null, status: number][] = [
  ['application/json; charset=utf-8', 201],
  ['APPLICATION/JSON;charset="UTF-8"', 201],
  [`application/json; x=${CANARY}`, 201],
  [null, 415],
  ['', 415],
  ['text/plain', 415],
  [`application/${CANARY}`, 415],
  ['application/json; charset=utf-16', 415],
  ['application/jsonp', 415],
  ['multipart/form-data; boundary=x', 415],
  ['application/x-www-form-urlencoded', 415],
]

/** What a caller's software may add, and we need not know. */
const HARMLESS: [string, string][] = [
  ['Accept', `image/${CANARY}`],
  ['Accept-Encoding', 'zstd;q=2'],
  ['Origin', ORIGIN],
  ['Origin', `https://${CANARY}.example`],
  ['Connection', 'close'],
  ['Cookie', `${CANARY}=${CANARY}`],
  ['X-Forwarded-For', CANARY],
  ['X-HTTP-Method-Override', 'DELETE'],
  ['Range', 'bytes=0-1'],
  ['If-None-Match', '*'],
  ['traceparent', `00-${CANARY}`],
  ['Expect', `${CANARY}`],
]

const token = fc.string({ minLength: 1, maxLength: 20 }).map((text) => `X-${text.replace(/[^\w-]/g, '_')}`)
const value = fc
  .uint8Array({ maxLength: 60 })
  .map(
    (bytes) =>
      `${CANARY}${Buffer.from(bytes.map((byte) => (byte < 32 || byte === 127 ? 63 : byte))).toString('latin1')}`,
  )

const contentType =
  ([type, status]: [string | null, number]): Change =>
  (one) => {
    const headers = one.headers.filter(([name]) => name !== 'Content-Type')
    if (type !== null) headers.push(['Content-Type', type])
    return { ...one, what: `the content type ${type}`, headers, expect: [status] }
  }

const encoding =
  (coding: string): Change =>
  (one) => ({ ...withHeader(one, ['Content-Encoding', coding]), what: 'a compressed body', expect: [415] })

const odd =
  (header: [string, string]): Change =>
  (one) => ({ ...withHeader(one, header), what: `the header ${header[0]}` })

const many =
  (count: number): Change =>
  (one) => {
    const headers = Array.from({ length: count }, (_, index): [string, string] => [`X-Many-${index}`, CANARY])
    return { ...one, what: 'many headers', headers: [...one.headers, ...headers] }
  }

const tooMany: Change = (one) => ({
  ...withHeader(one, ['X-Long', CANARY.repeat(2000)]),
  ...{ what: 'headers that are too large', expect: [431] },
})

const hosts =
  (names: string[]): Change =>
  (one) => ({
    ...one,
    what: `hosts: ${names.length}`,
    headers: [...names.map((name): [string, string] => ['Host', name]), ...one.headers],
    expect: names.length === 2 ? [400] : null,
  })

/** Refused by what it says of its length; nothing of it is sent, and nobody waits for it. */
const tooLong =
  (length: string): Change =>
  (one) => ({
    ...withHeader(one, ['Content-Length', length]),
    ...{ what: 'a length that is too much', expect: [413], body: null },
  })

const asksFirst: Change = (one) => ({ ...withHeader(one, ['Expect', '100-continue']), what: 'asks first' })

type Keys = { values: string[]; allowed: boolean }

/** Keys as the document's pattern has them, and others. */
function keysOf(headers: Record<string, Schema>): fc.Arbitrary<Keys & { name: string }> {
  const [[name, { pattern, maxLength = 0 }] = ['', {}]] = Object.entries(headers)
  if (pattern === undefined) throw new Error('the document has no pattern of a header')
  const good = fc.stringMatching(new RegExp(pattern)).map((key): Keys => ({ values: [key], allowed: true }))
  const bad = fc
    .constantFrom<string[]>(
      [''],
      [`${CANARY} key`],
      [`${CANARY}\u00e9`],
      [CANARY.repeat(maxLength)],
      [`${CANARY}\tkey`],
      [CANARY, CANARY],
      [CANARY, `${CANARY}2`],
    )
    .map((values): Keys => ({ values, allowed: false }))
  return fc.oneof(good, bad).map((keys) => ({ ...keys, name }))
}

const keyed =
  ({ name, values, allowed }: Keys & { name: string }): Change =>
  (one) => ({
    ...one,
    what: allowed ? 'a key' : 'a key of another form',
    headers: [...one.headers, ...values.map((key): [string, string] => [name, key])],
    // Short keys come again, with another body.
    expect: allowed ? [201, 409, 422] : [400],
    ...(allowed ? {} : { codes: ['validation_error'] }),
  })

function withHeader(one: Case, header: [string, string]): Case {
  return { ...one, headers: [...one.headers, header] }
}
