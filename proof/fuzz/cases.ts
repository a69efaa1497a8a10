import fc from 'fast-check'
import type { Case } from './case.ts'
import { headerCases } from './header-cases.ts'
import { pathCases } from './path-cases.ts'
import type { People } from './persons.ts'
import { rawCases } from './raw-cases.ts'
import { signedCases } from './signed-cases.ts'
import { FILING, type Surface } from './surface.ts'
import { changedTickets, changesOfNone, goodTickets, othersTickets } from './ticket-cases.ts'
import { tokenCases } from './token-cases.ts'

/** How many of a batch's requests are under way at once decides the load; how long it is, how far it shrinks. */
const BATCH = 100

/** Everything that is tried, in the shares that it is tried in. */
export function casesOf(surface: Surface, people: People): fc.Arbitrary<Case> {
  const filing = surface.operations.filter(({ name }) => name === FILING)
  const changing = surface.operations.filter(
    ({ secured, body, path }) => secured && body !== null && path.includes('{'),
  )
  const signed = surface.operations.filter(({ secured, method }) => !secured && method === 'POST')
  const saying = changing.find(({ method }) => method === 'POST')
  const secured = surface.operations.filter((operation) => operation.secured)
  const good = fc.oneof(...filing.map((operation) => goodTickets(operation, saying, people)))
  return fc.oneof(
    { weight: 20, arbitrary: good },
    { weight: 30, arbitrary: fc.oneof(...filing.map((operation) => changedTickets(operation, people))) },
    { weight: 10, arbitrary: fc.oneof(...changing.map((operation) => changesOfNone(operation, people))) },
    { weight: 6, arbitrary: fc.oneof(...filing.map((operation) => othersTickets(operation, people))) },
    { weight: 14, arbitrary: fc.oneof(...secured.map((operation) => tokenCases(operation, people))) },
    { weight: 12, arbitrary: fc.oneof(...filing.map((operation) => headerCases(operation, people))) },
    { weight: signed.length > 0 ? 4 : 0, arbitrary: fc.oneof(...signed.map(signedCases)) },
    { weight: 12, arbitrary: pathCases(surface, people) },
    { weight: 6, arbitrary: rawCases(good) },
  )
}

export function batchesOf(cases: fc.Arbitrary<Case>): fc.Arbitrary<Case[]> {
  return fc.array(cases, { minLength: 1, maxLength: BATCH, size: 'max' })
}
