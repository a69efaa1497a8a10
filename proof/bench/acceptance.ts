import type { NextRequest } from '../load.ts'
import { requestsOf } from '../requests.ts'
import { type BenchRow, COMPARISON, comparison } from './comparison.ts'
import { compete, type Rates } from './contest.ts'
import { loadOf, startDemoFloor, startFrontDoor, startStatementLoop, warmUp } from './front-door.ts'
import type { BenchContext, BenchSection, Group } from './group.ts'

type Kind = 'fresh' | 'returning'

const KINDS: { kind: Kind; what: string; goal: number }[] = [
  { kind: 'fresh', what: 'every token new', goal: 1 },
  { kind: 'returning', what: 'tokens come back', goal: 1.6 },
]
/** Connections at which the goals are set. */
const JUDGED = 32

export const acceptance: Group = {
  id: 'acceptance',
  inShort: true,
  async run(context) {
    const { form, rounds, seconds, say, folder, refusals } = context
    const bellhop = await startFrontDoor(context)
    const [floor, statements, fresh, returning] = await Promise.all([
      startDemoFloor(context),
      startStatementLoop(context),
      requestsOf(folder, 'fresh'),
      requestsOf(folder, 'returning'),
    ])
    const rows: BenchRow[] = []
    for (const connections of form === 'long' ? [32, 1, 256] : [32]) {
      say(`${connections} connections`)
      const at = (port: number, next: NextRequest) => loadOf(port, connections, seconds, next)
      const sides = {
        floor: at(floor.ready.port, fresh),
        fresh: at(bellhop.port, fresh),
        returning: at(bellhop.port, returning),
      }
      await warmUp(bellhop.port, connections, seconds, fresh, refusals)
      await warmUp(floor.ready.port, connections, seconds, fresh, refusals)
      const statement = () => statements.ask({ callers: connections, seconds })
      const rates: AcceptanceRates =
        form === 'long'
          ? await compete({ ...sides, statement }, rounds, refusals)
          : await compete(sides, rounds, refusals)
      rows.push(...rowsAt(connections, rates, form))
    }
    return [section(rows, context)]
  },
}

type AcceptanceRates = Rates<Kind | 'floor'> & Partial<Rates<'statement'>>

function rowsAt(connections: number, rates: AcceptanceRates, form: BenchContext['form']): BenchRow[] {
  const name = `${connections} connection${connections === 1 ? '' : 's'}`
  return KINDS.flatMap(({ kind, what, goal }) => {
    const common = { what: `${name}, ${what}`, rates: rates[kind] }
    const id = `acceptance.${kind}.${connections}`
    const judged = form === 'long' && connections === JUDGED ? goal : null
    const toFloor = { what: 'the bare floor', rates: rates.floor }
    const rows = [comparison({ ...common, id, floor: toFloor, goal: judged })]
    if (rates.statement !== undefined) {
      const toStatement = { what: 'the statement alone', rates: rates.statement }
      rows.push(comparison({ ...common, id: `${id}.statement`, floor: toStatement, goal: null }))
    }
    return rows
  })
}

function section(rows: BenchRow[], { rounds, seconds }: BenchContext): BenchSection {
  return {
    id: 'acceptance',
    title: 'Acceptance',
    text:
      `Tickets of about 0.6 kB, each answered after its COMMIT, in ${rounds} alternating rounds of ${seconds} s ` +
      'on one database. The bare floor is a Fastify route with the same schema, one ES256 verification by jose ' +
      'for each request and one statement that inserts the same four rows; it checks, logs and promises nothing ' +
      'else. The statement alone is the one by which Bellhop keeps a ticket, in a bare loop of postgres.js with ' +
      'one ticket each, as many callers and 16 connections: with tickets that come at once Bellhop can be above ' +
      'it, since they share a COMMIT. With every token new 25,000 of them take turns, more than are remembered; ' +
      'those that come back are 1,000.',
    columns: COMPARISON,
    rows,
    order: ['', '.statement'].flatMap((against) =>
      [1, 32, 256].flatMap((count) => KINDS.map(({ kind }) => `acceptance.${kind}.${count}${against}`)),
    ),
  }
}
