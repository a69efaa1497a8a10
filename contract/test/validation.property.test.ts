import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import ajvFormats from 'ajv-formats'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkNewTicket, isMailbox } from '../src/index.ts'

const RUNS = 2000

/** Another's reading of the contract's own JSON Schema; only what an e-mail address is, is ours. */
const contract = JSON.parse(readFileSync(join(import.meta.dirname, 'support-tickets.openapi.json'), 'utf8'))
const { schema } = contract.paths['/v1/support/tickets'].post.requestBody.content['application/json']
const ajv = new Ajv2020({ strict: false, ownProperties: true })
ajvFormats.default(ajv)
ajv.addFormat('email', isMailbox)
const isNewTicket = ajv.compile(schema)

const agrees = (body: unknown) => {
  expect(checkNewTicket(body).length === 0).toBe(isNewTicket(body))
}

/** Any string that JSON can carry, lone surrogates and NUL too. */
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 6 })
    .map((units) => String.fromCharCode(...units)),
  fc.constantFrom('\ud800', '\udc00x', '\0', ' ', '\u2028', '__proto__'),
)
const address = fc.oneof(fc.emailAddress(), fc.constantFrom('a@localhost', '"a b"@[192.0.2.1]', 'a@b.', 'a'))
const name = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'length', ''),
  fc.constantFrom(...Object.keys(schema.properties), 'filename', 'content_base64', 'content_type'),
  text,
)
/** Keys as `JSON.parse` makes them: `__proto__` is a property like any other. */
const record = (value: fc.Arbitrary<unknown>) =>
  fc
    .array(fc.tuple(name, value), { maxLength: 5 })
    .map((entries) =>
      JSON.parse(`{${entries.map(([key, item]) => `${JSON.stringify(key)}:${JSON.stringify(item)}`)}}`),
    )
const anything = fc.oneof(fc.jsonValue(), text, record(fc.oneof(text, fc.jsonValue())))

const attachment = fc.record(
  { filename: text, content_base64: fc.oneof(fc.base64String(), text), content_type: text },
  { requiredKeys: ['filename', 'content_base64'] },
)
const ticket = fc.record(
  {
    brand_id: text,
    person_id: text,
    requester_email: address,
    requester_name: text,
    subject: text,
    body: text,
    attachment,
  },
  { requiredKeys: ['brand_id', 'person_id', 'requester_email', 'subject', 'body'] },
)

/** A ticket with one thing changed: a field gone, of another kind, or strange ones beside them. */
const mutant = fc
  .tuple(ticket, fc.constantFrom('drop', 'change', 'add', 'drop inside', 'change inside'), name, anything)
  .map(([whole, act, key, value]) => {
    const inside = act.endsWith('inside')
    const target: Record<string, unknown> = inside ? { ...whole.attachment } : { ...whole }
    const own = Object.keys(target)
    const chosen = act === 'add' || own.length === 0 ? key : (own[key.length % own.length] ?? key)
    if (act.startsWith('drop')) delete target[chosen]
    else
      Object.defineProperty(target, chosen, { value, enumerable: true, configurable: true, writable: true })
    return inside ? { ...whole, attachment: target } : target
  })

describe('what is accepted is what the contract accepts', () => {
  test('of tickets', () => {
    fc.assert(fc.property(ticket, agrees), { numRuns: RUNS })
  })

  test('of tickets with one thing wrong', () => {
    fc.assert(fc.property(mutant, agrees), { numRuns: RUNS })
  })

  test('of any JSON at all', () => {
    fc.assert(fc.property(anything, agrees), { numRuns: RUNS })
  })

  test('both sides take some and refuse some', () => {
    const bodies = fc.sample(mutant, { numRuns: 500, seed: 1 })
    const taken = bodies.filter((body) => isNewTicket(body)).length
    expect(taken).toBeGreaterThan(50)
    expect(taken).toBeLessThan(450)
  })
})

test('what is said of a fault holds nothing of what was sent', () => {
  const canary = 'c4nary'
  const planted = fc
    .tuple(mutant, fc.constantFrom(canary, [canary], { [canary]: canary }, { filename: { [canary]: 1 } }))
    .chain(([body, value]) =>
      fc.constantFrom(...Object.keys(schema.properties), canary).map((key) => ({ ...body, [key]: value })),
    )
  fc.assert(
    fc.property(planted, (body) => {
      expect(JSON.stringify(checkNewTicket(body))).not.toContain(canary)
    }),
    { numRuns: RUNS },
  )
})

describe('a fault names its field and what was expected there', () => {
  const good = { brand_id: 'acme', person_id: 'p', requester_email: 'a@b', subject: 's', body: 'b' }
  test.each<[string, unknown, { field: string; expected: string }[]]>([
    ['no object', [], [{ field: 'the body', expected: 'must be an object' }]],
    ['null', null, [{ field: 'the body', expected: 'must be an object' }]],
    ['a number', { ...good, subject: 7 }, [{ field: 'subject', expected: 'must be a string' }]],
    ['an empty text', { ...good, body: '' }, [{ field: 'body', expected: 'must not be empty' }]],
    [
      'null for what may be left out',
      { ...good, requester_name: null },
      [{ field: 'requester_name', expected: 'must be a string' }],
    ],
    [
      'a file of null',
      { ...good, attachment: null },
      [{ field: 'attachment', expected: 'must be an object' }],
    ],
    [
      'a file without bytes',
      { ...good, attachment: { filename: 'a' } },
      [{ field: 'attachment.content_base64', expected: 'is required' }],
    ],
    [
      'no address',
      { ...good, requester_email: 'ada' },
      [{ field: 'requester_email', expected: expect.stringContaining('RFC 5321') }],
    ],
  ])('%s', (_what, body, faults) => {
    expect(checkNewTicket(body)).toEqual(faults)
  })

  test('all that is missing at once', () => {
    expect(checkNewTicket({}).map(({ field }) => field)).toEqual([
      'brand_id',
      'person_id',
      'requester_email',
      'subject',
      'body',
    ])
  })
})
