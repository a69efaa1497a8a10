import fc from 'fast-check'
import type { Schema } from './surface.ts'

/** Stands in everything that a request says, so that an answer or a log line that repeats any of it shows. */
export const CANARY = 'zq7canary'

/** Text of any script, without NUL, which a schema's strings may not hold. */
export const anyText: fc.Arbitrary<string> = fc
  .oneof(
    { weight: 4, arbitrary: fc.string({ maxLength: 30 }) },
    { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
    { weight: 1, arbitrary: fc.constantFrom('\r\nBcc: x@example.com', '\u202e', ' ', "';--", '\u{1f600}') },
  )
  .map((text) => `${CANARY}${text.replaceAll('\0', '')}`)

const mailbox = fc.oneof(
  fc.nat({ max: 1e9 }).map((n) => `${CANARY}.${n}@example.com`),
  fc.constantFrom(
    `${CANARY}@localhost`,
    `"${CANARY} of"@example.com`,
    `${CANARY}+tag@[127.0.0.1]`,
    `${CANARY}@[IPv6:::1]`,
    `${CANARY}@xn--bcher-kva.example`,
  ),
)

const base64 = fc
  .oneof(
    { weight: 20, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 64 }) },
    { weight: 1, arbitrary: fc.nat({ max: 100_000 }).map((n) => Buffer.alloc(n + 1, n)) },
  )
  .map((bytes) => Buffer.from(bytes).toString('base64'))

/** Of a list, whatever the schema allows. */
const LONGEST = 3

/**
 * Values that a schema allows. It says of no text what it means: that `content_base64` is base64 and
 * `content_type` a media type is known here by their names.
 */
export function valuesOf(schema: Schema, name = ''): fc.Arbitrary<unknown> {
  if (schema.type === 'object') {
    const properties = Object.entries(schema.properties ?? {})
    const model = Object.fromEntries(properties.map(([key, inner]) => [key, valuesOf(inner, key)]))
    return fc.record(model, { requiredKeys: schema.required ?? [], noNullPrototype: true })
  }
  if (schema.type === 'array' && schema.items !== undefined)
    return fc.array(valuesOf(schema.items, name), {
      maxLength: Math.min(schema.maxItems ?? LONGEST, LONGEST),
    })
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  if (schema.type !== 'string') throw new Error(`no values are made for the type of ${name}`)
  if (schema.format === 'email') return mailbox
  if (name === 'content_base64') return base64
  if (name === 'content_type')
    return fc.constantFrom('text/plain', 'application/pdf', `x/${CANARY}`, 'no type')
  return anyText
}

/** A property's place in a body. */
export type Place = { path: string[]; required: boolean; schema: Schema }

/** Every text of a body, wherever it stands. */
export function placesOf(schema: Schema, above: string[] = []): Place[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => {
    const path = [...above, name]
    const place = { path, required: schema.required?.includes(name) ?? false, schema: inner }
    return [place, ...placesOf(inner, path)]
  })
}

/** A copy with another value at a place; undefined takes it away. Null where the place is not there. */
export function withAt(body: object, [name = '', ...rest]: string[], value: unknown): object | null {
  const copy: Record<string, unknown> = { ...body }
  if (rest.length > 0) {
    const inner = copy[name]
    if (typeof inner !== 'object' || inner === null) return null
    const changed = withAt(inner, rest, value)
    return changed === null ? null : { ...copy, [name]: changed }
  }
  if (value === undefined) delete copy[name]
  else copy[name] = value
  return copy
}
