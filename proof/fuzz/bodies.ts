import fc from 'fast-check'
import type { Schema } from './surface.ts'
import { CANARY, type Place, placesOf, withAt } from './values.ts'

/** A body that was changed, and what must become of it. */
export type ChangedBody = { what: string; bytes: Buffer; expect: number[] | null; codes?: string[] }

type Change = (body: object) => ChangedBody

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
const refused = (what: string, bytes: Buffer, code: string): ChangedBody => ({
  what,
  bytes,
  expect: [400],
  codes: [code],
})
const accepted = (what: string, bytes: Buffer): ChangedBody => ({ what, bytes, expect: [201] })
const unknown = (what: string, bytes: Buffer): ChangedBody => ({ what, bytes, expect: null })

/** Ways to change a body of this schema. Large ones are rare: each costs as much as a hundred others. */
export function changesOf(schema: Schema): fc.Arbitrary<Change> {
  const places = placesOf(schema)
  const { body: words, attachment, attachments } = schema.properties ?? {}
  const texts = places.filter((place) => place.schema.type === 'string')
  const required = places.filter((place) => place.required)
  return fc.oneof(
    { weight: 20, arbitrary: at(required, fc.constant(undefined), 'is missing') },
    { weight: 40, arbitrary: at(texts, notText, 'is no text') },
    { weight: 10, arbitrary: at(texts, fc.constant(''), 'is empty') },
    { weight: 20, arbitrary: at(texts, fc.constant(`${CANARY}\0`), 'holds NUL') },
    { weight: 20, arbitrary: fc.constantFrom('subject', 'body', 'requester_name').map(halfPair) },
    { weight: 20, arbitrary: fc.tuple(name, fc.jsonValue({ maxDepth: 3 })).map(extra) },
    { weight: 10, arbitrary: fc.constantFrom('__proto__', 'constructor', 'toString').map(inherited) },
    { weight: 10, arbitrary: fc.nat({ max: 4000 }).map(deep) },
    { weight: 20, arbitrary: fc.constantFrom(...texts).map(twice) },
    { weight: 20, arbitrary: fc.tuple(fc.nat(), fc.constantFrom(0xff, 0xc0, 0xed, 0x80)).map(notUtf8) },
    { weight: 20, arbitrary: fc.nat().map(cut) },
    { weight: 10, arbitrary: fc.constantFrom('not a document', '\ufeff', '  ', '/* */').map(before) },
    { weight: 10, arbitrary: fc.jsonValue({ maxDepth: 2 }).filter(isNoObject).map(other) },
    { weight: 10, arbitrary: fc.uint8Array({ maxLength: 200 }).map(noise) },
    { weight: 10, arbitrary: fc.nat({ max: 60_000 }).map(long) },
    // Only what is kept is counted as text.
    { weight: words ? 1 : 0, arbitrary: fc.constant(tooMuchText) },
    { weight: 1, arbitrary: fc.constant(tooManyValues) },
    {
      weight: attachment || attachments ? 10 : 0,
      arbitrary: fc
        .constantFrom('=', 'a', 'YQ', 'YQ=', 'YR==', 'Y Q==', 'YQ==\n', '_w==')
        .map(notBase64(attachments !== undefined)),
    },
  )
}

const name = fc.string({ minLength: 1, maxLength: 12 }).map((text) => `x_${text}`)
const notText = fc.oneof(
  fc.constantFrom<unknown>(null, true, [], {}, 0, -1, 1e308, [CANARY], { [CANARY]: CANARY }),
  fc.integer(),
)
const isNoObject = (value: unknown): boolean =>
  typeof value !== 'object' || value === null || Array.isArray(value)

function at(places: Place[], values: fc.Arbitrary<unknown>, how: string): fc.Arbitrary<Change> {
  return fc.tuple(fc.constantFrom(...places), values).map(([place, value]): Change => {
    const what = `${place.path.join('.')} ${how}`
    return (body) => {
      const changed = withAt(body, place.path, value)
      return changed === null
        ? accepted('as the schema says', json(body))
        : refused(what, json(changed), 'validation_error')
    }
  })
}

const halfPair =
  (field: string): Change =>
  (body) =>
    accepted(`${field} has half a surrogate pair`, json({ ...body, [field]: `${CANARY}\ud800` }))

const extra =
  ([key, value]: [string, unknown]): Change =>
  (body) =>
    accepted('a field that the schema does not have', json({ ...body, [key]: value }))

const inherited =
  (key: string): Change =>
  (body) =>
    accepted(
      `a field named ${key}`,
      Buffer.from(`{"${key}":{"brand_id":"${CANARY}"},${JSON.stringify(body).slice(1)}`),
    )

const deep =
  (depth: number): Change =>
  (body) =>
    accepted(
      'a field of lists in lists',
      Buffer.from(
        `{"x":${'['.repeat(depth)}${']'.repeat(depth)}${depth === 0 ? '0' : ''},${JSON.stringify(body).slice(1)}`,
      ),
    )

const twice =
  (place: Place): Change =>
  (body) =>
    unknown('a field twice', Buffer.from(`{"${place.path[0]}":"${CANARY}",${JSON.stringify(body).slice(1)}`))

const notUtf8 =
  ([where, byte]: [number, number]): Change =>
  (body) => {
    const bytes = json(body)
    // Behind an ASCII letter none of these begins a character, and none goes on with one.
    const mark = bytes.indexOf(CANARY)
    bytes[mark + 1 + (where % (CANARY.length - 2))] = byte
    return refused('bytes that are not UTF-8', bytes, 'invalid_json')
  }

const cut =
  (where: number): Change =>
  (body) => {
    const bytes = json(body)
    return refused('a body that ends too early', bytes.subarray(0, where % bytes.length), 'invalid_json')
  }

const before =
  (text: string): Change =>
  (body) => {
    const bytes = Buffer.concat([Buffer.from(text), json(body)])
    return text.trim() === '' && text !== '\ufeff'
      ? accepted('white space', bytes)
      : unknown(`${text} before it`, bytes)
  }

const other =
  (value: unknown): Change =>
  () =>
    refused('JSON, but no object', json(value), 'validation_error')

const noise =
  (bytes: Uint8Array): Change =>
  () =>
    unknown('noise', Buffer.from(bytes))

const long =
  (length: number): Change =>
  (body) =>
    accepted('a long body', json({ ...body, body: `${CANARY}${'long '.repeat(length / 5)}` }))

const tooMuchText: Change = (body) => ({
  what: 'more text than is taken',
  bytes: json({ ...body, body: `${CANARY}${'x'.repeat(2 * 1024 * 1024)}` }),
  expect: [413],
})

const tooManyValues: Change = (body) => ({
  what: 'more values than are taken',
  bytes: Buffer.from(`{"x":[${'0,'.repeat(110_000)}0],${JSON.stringify(body).slice(1)}`),
  expect: [413],
})

const notBase64 =
  (isList: boolean) =>
  (content: string): Change =>
  (body) => {
    const file = { filename: CANARY, content_base64: content }
    const changed = isList ? { ...body, attachments: [file] } : { ...body, attachment: file }
    return refused('an attachment that is not base64', json(changed), 'invalid_attachment')
  }
