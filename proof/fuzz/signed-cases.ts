import fc from 'fast-check'
import type { Case } from './case.ts'
import { BRANDS } from './persons.ts'
import { type Operation, pathOf } from './surface.ts'
import { CANARY } from './values.ts'

/**
 * Requests of those that are signed and take no token, with signatures that nobody made, or none: none of them may be
 * taken. That a right one is, the mails of this command show.
 */
export function signedCases(operation: Operation): fc.Arbitrary<Case> {
  const refusals = [...operation.answers.keys()].filter(
    (status) => status >= 400 && status < 500 && status !== 408,
  )
  const names = Object.keys(operation.headers)
  return fc
    .tuple(fc.array(value, { minLength: names.length, maxLength: names.length }), left, type, body, brand)
    .map(
      ([values, leftOut, contentType, bytes, of]): Case => ({
        ...{ what: 'a signature that nobody made', operation: operation.name, method: operation.method },
        target: pathOf(operation, of),
        headers: [
          ...names.flatMap((name, index): [string, string][] =>
            index === leftOut ? [] : [[name, values[index] ?? '']],
          ),
          ['Content-Type', contentType],
        ],
        body: Buffer.from(bytes),
        expect: refusals,
      }),
    )
}

const value = fc.oneof(
  fc.constantFrom(
    '2051222400',
    '0',
    '-1',
    '1e9',
    'NaN',
    CANARY,
    '',
    `v1,${'A'.repeat(43)}=`,
    `v1=${'0'.repeat(64)}`,
    'v1=',
  ),
  fc.string({ maxLength: 40 }).map((text) => `${CANARY}${text.replace(/[^!-~]/g, '_')}`),
)
/** Which header is not there; mostly none. */
const left = fc.nat({ max: 8 })
const type = fc.constantFrom('application/json', 'message/rfc822', 'application/octet-stream', 'text/plain')
const body = fc.uint8Array({ maxLength: 200 })
const brand = fc.constantFrom(BRANDS.plain, BRANDS.scoped, CANARY, '__proto__')
