import fc from 'fast-check'
import type { Case } from './case.ts'
import type { People } from './persons.ts'
import { type Operation, pathOf, type Surface } from './surface.ts'
import { pick } from './ticket-cases.ts'
import { CANARY } from './values.ts'

/** Requests for what is read, for paths that are not there, and with methods that a path does not have. */
export function pathCases(surface: Surface, people: People): fc.Arbitrary<Case> {
  const reads = surface.operations.filter(({ method }) => method === 'GET')
  return fc.oneof(
    { weight: 6, arbitrary: fc.tuple(fc.constantFrom(...reads), fc.nat(), id).map(read(people)) },
    { weight: 3, arbitrary: path.map(nowhere) },
    {
      weight: 3,
      arbitrary: fc
        .tuple(fc.constantFrom(...surface.operations), method, fc.nat())
        .map(([operation, name, index]) => otherMethod(surface, people, operation, name, index)),
    },
    { weight: 1, arbitrary: fc.constantFrom('%', '%zz', '%e0%a4', '%c0%ae', '%00', '%ff').map(notDecodable) },
    { weight: 1, arbitrary: fc.constantFrom(9000, 15_000, 40_000).map(tooLong) },
  )
}

const segment = fc
  .string({ maxLength: 12 })
  .map((text) => encodeURIComponent(text.replace(/[\ud800-\udfff]/g, '')))
const path = fc
  .array(
    fc.oneof(segment, fc.constantFrom('', '.', '..', 'v1', 'support', 'tickets', 'docs', '*', ';x', '%2f')),
    {
      maxLength: 5,
    },
  )
  .map((parts) => `/${CANARY}/${parts.join('/')}`)
const query = fc.constantFrom('', '', `?${CANARY}`, `?a=${CANARY}&a=2`, '?%zz', '?__proto__[x]=1', '#x')
const id = fc.tuple(
  fc.oneof(
    fc
      .uint8Array({ minLength: 16, maxLength: 16 })
      .map((bytes) => `tkt_${Buffer.from(bytes).toString('hex')}`),
    fc.string({ minLength: 1, maxLength: 40 }).map((text) => encodeURIComponent(`${CANARY}${text}`)),
    fc.constantFrom('tkt_', 'msg_0', '__proto__', "'%20or%201=1--", `${'0'.repeat(3000)}`, 'TKT_0'),
  ),
  query,
)
const method = fc.constantFrom(
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'QUERY',
)

function read(people: People) {
  return ([operation, index, [ticket, asked]]: [Operation, number, [string, string]]): Case => ({
    what: 'a read',
    operation: operation.name,
    method: operation.method,
    target: `${pathOf(operation, ticket)}${asked}`,
    headers: operation.secured ? bearer(people, index) : [],
    body: null,
    // No ticket that was ever made is guessed, and a list names its brand.
    expect: operation.secured ? (operation.path.includes('{') ? [404] : [400, 404]) : null,
  })
}

function nowhere(target: string): Case {
  return { ...bare('a path that is not there', 'GET', target), expect: [404], codes: ['not_found'] }
}

function otherMethod(
  surface: Surface,
  people: People,
  operation: Operation,
  name: string,
  index: number,
): Case {
  const target = pathOf(operation, 'tkt_0')
  // A GET is answered without its body where HEAD is asked (RFC 9110, section 9.3.2).
  const asked = name === 'HEAD' ? 'GET' : name
  const same = surface.operations.find((one) => one.method === asked && one.path === operation.path)
  if (same === undefined || (same.streams && name === 'HEAD')) {
    return {
      ...bare('a method that the path does not have', name, target),
      expect: [405],
      codes: ['method_not_allowed'],
    }
  }
  return {
    ...bare('a path without anything', name, target),
    ...{ operation: same.name, headers: same.secured ? bearer(people, index) : [], expect: null },
  }
}

const notDecodable = (text: string): Case => ({
  ...bare('a path that cannot be decoded', 'GET', `/${CANARY}${text}`),
  expect: [400, 404],
})

const tooLong = (length: number): Case => ({
  ...bare('a path that is too long', 'GET', `/${CANARY}${'a'.repeat(length)}`),
  // In pieces, it cannot be told from headers that are too large.
  expect: length > 16 * 1024 ? [414, 431] : [414],
})

function bare(what: string, name: string, target: string): Case {
  return { what, operation: null, method: name, target, headers: [], body: null, expect: null }
}

function bearer({ persons }: People, index: number): [string, string][] {
  return [['Authorization', `Bearer ${pick(persons, index).token}`]]
}
