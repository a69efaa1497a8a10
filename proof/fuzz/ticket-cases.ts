import fc from 'fast-check'
import { changesOf } from './bodies.ts'
import type { Case } from './case.ts'
import { BRANDS, type People, type Person } from './persons.ts'
import { type Operation, pathOf } from './surface.ts'
import { CANARY, valuesOf } from './values.ts'

/** A well-formed id that nothing has. */
export const NO_TICKET = `tkt_${'0'.repeat(32)}`

/** Whatever a body of the schema is, these say whose ticket it is. */
export function bodiesOf(
  operation: Operation,
): fc.Arbitrary<(person: Pick<Person, 'id' | 'brand'>) => object> {
  if (operation.body === null) throw new Error(`${operation.name} takes no body`)
  return valuesOf(operation.body).map((body) => (person) => ({
    ...(body as object),
    brand_id: person.brand,
    person_id: person.id,
  }))
}

export function filing(operation: Operation, person: Person, body: Buffer): Case {
  return {
    what: 'a ticket',
    operation: operation.name,
    method: operation.method,
    target: pathOf(operation, NO_TICKET),
    headers: [
      ['Authorization', `Bearer ${person.token}`],
      ['Content-Type', 'application/json'],
    ],
    body,
    expect: [201],
  }
}

/** Tickets that must be accepted, and what may follow them. @param saying the operation by which more is said on one */
export function goodTickets(
  operation: Operation,
  saying: Operation | undefined,
  { persons }: People,
): fc.Arbitrary<Case> {
  const more = saying?.body ? valuesOf(saying.body) : fc.constant(undefined)
  const next = fc.oneof(
    { weight: 6, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constant('owner reads' as const) },
    { weight: 1, arbitrary: fc.constant('stranger reads' as const) },
    { weight: 1, arbitrary: fc.constant('again' as const) },
    { weight: 1, arbitrary: fc.constant('again with another body' as const) },
    { weight: 2, arbitrary: fc.constant('goes on' as const) },
  )
  return fc
    .tuple(fc.nat({ max: persons.length - 1 }), bodiesOf(operation), next, more)
    .map(([index, make, then, said]) => {
      const person = pick(persons, index)
      const body = make(person) as { subject: string; body: string }
      const one = filing(operation, person, Buffer.from(JSON.stringify(body)))
      if (then === undefined) return one
      const reader = then === 'stranger reads' ? pick(persons, index + 1).token : person.token
      const stranger = pick(persons, index + 1).token
      const sent = { subject: body.subject, body: body.body }
      return { ...one, then, reader, stranger, sent, more: said as Case['more'] }
    })
}

/** Tickets whose body was changed. */
export function changedTickets(operation: Operation, { persons }: People): fc.Arbitrary<Case> {
  if (operation.body === null) throw new Error(`${operation.name} takes no body`)
  return fc
    .tuple(fc.nat({ max: persons.length - 1 }), bodiesOf(operation), changesOf(operation.body))
    .map(([index, make, change]) => {
      const person = pick(persons, index)
      const { bytes, ...rest } = change(make(person))
      return { ...filing(operation, person, bytes), ...rest }
    })
}

/** What is said or done on a ticket that nobody has, changed or not: what would be accepted is 404. */
export function changesOfNone(operation: Operation, { persons }: People): fc.Arbitrary<Case> {
  if (operation.body === null) throw new Error(`${operation.name} takes no body`)
  return fc
    .tuple(fc.nat({ max: persons.length - 1 }), bodiesOf(operation), changesOf(operation.body))
    .map(([index, make, change]) => {
      const person = pick(persons, index)
      const { bytes, expect, codes, ...rest } = change(make(person))
      const one = { ...filing(operation, person, bytes), ...rest }
      // What an attachment's base64 says is looked at once the ticket is found.
      if (codes?.includes('invalid_attachment')) return { ...one, expect: [404] }
      const found = expect?.map((status) => (status === 201 ? 404 : status)) ?? null
      return { ...one, expect: found, ...(codes && { codes }) }
    })
}

/** Tickets that are somebody else's, too many, or not for this token. */
export function othersTickets(operation: Operation, people: People): fc.Arbitrary<Case> {
  const { persons, limited, unscoped } = people
  const kinds = fc.constantFrom('person', 'brand', 'no brand', 'limit', 'scope')
  return fc
    .tuple(fc.nat({ max: persons.length - 1 }), bodiesOf(operation), kinds)
    .map(([index, make, kind]) => {
      const person = pick(persons, index)
      const as = (of: Pick<Person, 'id' | 'brand'>, token: Person) =>
        filing(operation, token, Buffer.from(JSON.stringify(make(of))))
      switch (kind) {
        case 'person':
          return refused(
            as({ ...person, id: `per_${CANARY}_else` }, person),
            'of another person',
            403,
            'forbidden_person',
          )
        case 'brand': {
          const brand = person.brand === BRANDS.plain ? BRANDS.other : BRANDS.plain
          return refused(as({ ...person, brand }, person), 'for another brand', 403, 'forbidden_brand')
        }
        case 'no brand':
          return refused(
            as({ ...person, brand: `${CANARY}-brand` }, person),
            'for no brand',
            400,
            'unknown_brand',
          )
        case 'scope': {
          const one = pick(unscoped, index)
          return refused(as(one, one), 'without the scope', 403, 'insufficient_scope')
        }
        default: {
          const one = pick(limited, index)
          return { ...as(one, one), what: 'one of many', expect: [201, 429] }
        }
      }
    })
}

function refused(one: Case, what: string, status: number, code: string): Case {
  return { ...one, what, expect: [status], codes: [code] }
}

export function pick<T>(list: readonly T[], index: number): T {
  const one = list[index % list.length]
  if (one === undefined) throw new Error('there is nothing to choose from')
  return one
}
