import fc from 'fast-check'
import type { Case } from './case.ts'
import type { People } from './persons.ts'
import type { Operation } from './surface.ts'
import { bodiesOf, filing, pick } from './ticket-cases.ts'
import { CANARY } from './values.ts'

/** Requests whose token does not hold, on every operation that asks for one: each must be 401. */
export function tokenCases(operation: Operation, people: People): fc.Arbitrary<Case> {
  const bodies = operation.body === null ? fc.constant(null) : bodiesOf(operation)
  return fc
    .tuple(fc.nat({ max: people.persons.length - 1 }), bodies, authorizations(people))
    .map(([index, make, authorization]) => {
      const person = pick(people.persons, index)
      const one: Case =
        make === null
          ? { ...filing(operation, person, Buffer.alloc(0)), body: null, target: reading(operation, index) }
          : filing(operation, person, Buffer.from(JSON.stringify(make(person))))
      const headers = one.headers.filter(([name]) => name !== 'Authorization')
      const { what, values } = authorization(person.token, pick(people.persons, index + 2).token)
      return {
        ...one,
        what,
        headers: [...values.map((value): [string, string] => ['Authorization', value]), ...headers],
        expect: [401],
      }
    })
}

function reading(operation: Operation, index: number): string {
  return operation.path.replace(/\{\w+\}/, `tkt_${index.toString(16).padStart(32, '0')}`)
}

type Authorization = (token: string, another: string) => { what: string; values: string[] }

function authorizations({ bad }: People): fc.Arbitrary<Authorization> {
  return fc.oneof(
    {
      weight: 6,
      arbitrary: fc.nat().chain((at) => fc.integer({ min: 1, max: 63 }).map((by) => flip(at, by))),
    },
    {
      weight: 3,
      arbitrary: fc.constantFrom(...bad).map(
        ({ what, token }): Authorization =>
          () => ({
            what: `a token ${what}`,
            values: [`Bearer ${token}`],
          }),
      ),
    },
    { weight: 2, arbitrary: fc.constantFrom<[number, number]>([1, 1], [2, 2], [1, 2]).map(swap) },
    { weight: 2, arbitrary: fc.integer({ min: 1, max: 40 }).map(shorten) },
    { weight: 2, arbitrary: fc.string({ maxLength: 40 }).map(madeUp) },
    { weight: 1, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 60 }).map(oddBytes) },
    {
      weight: 1,
      arbitrary: fc.constantFrom<Authorization>(none, twice, empty, basic, overlong, onlyDots, spaced),
    },
  )
}

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Another character for one of it. The last of the signature is left, since four of its bits mean nothing. */
const flip =
  (at: number, by: number): Authorization =>
  (token) => {
    const where = at % (token.length - 1)
    const old = BASE64URL.indexOf(token[where] ?? '')
    const other = old < 0 ? 'A' : BASE64URL[(old + by) % 64]
    return {
      what: 'one character of the token',
      values: [`Bearer ${token.slice(0, where)}${other}${token.slice(where + 1)}`],
    }
  }

const swap =
  ([one, two]: [number, number]): Authorization =>
  (token, another) => {
    const parts = token.split('.')
    // Headers are all the same, so payload or signature is what another's replaces.
    parts[one] = another.split('.')[two] ?? ''
    return { what: 'parts of two tokens', values: [`Bearer ${parts.join('.')}`] }
  }

const shorten =
  (by: number): Authorization =>
  (token) => ({ what: 'a token that ends too early', values: [`Bearer ${token.slice(0, -by)}`] })

const madeUp =
  (text: string): Authorization =>
  () => ({ what: 'a made-up token', values: [`Bearer ${CANARY}${printable(text)}`] })

const oddBytes =
  (bytes: Uint8Array): Authorization =>
  () => ({
    what: 'a token of odd bytes',
    values: [`Bearer ${CANARY}${printable(Buffer.from(bytes).toString('latin1'))}`],
  })

/** What a header may hold at all (RFC 9110, section 5.5). */
function printable(text: string): string {
  return [...text].map((one) => (one < ' ' || one === '\x7f' || one > 'ÿ' ? '?' : one)).join('')
}

const none: Authorization = () => ({ what: 'no token', values: [] })
const empty: Authorization = () => ({ what: 'an empty token', values: ['Bearer '] })
const twice: Authorization = (token) => ({
  what: 'two tokens',
  values: [`Bearer ${token}`, `Bearer ${token}`],
})
const basic: Authorization = (token) => ({ what: 'another scheme', values: [`Basic ${token}`] })
const onlyDots: Authorization = () => ({ what: 'dots', values: ['Bearer ..'] })
const spaced: Authorization = (token) => ({ what: 'a token and more', values: [`Bearer ${token} ${CANARY}`] })
const overlong: Authorization = (token) => ({
  what: 'an overlong token',
  values: [`Bearer ${token}${'a'.repeat(8192)}`],
})
