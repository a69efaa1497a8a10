import type { ProofRow } from '../page.ts'
import type { Group } from './group.ts'
import { measureStreams, type StreamsMeasured } from './streams.ts'

const STREAMS = 10_000
/** Of the one process that serves them all. */
const GOAL_BYTES = 400_000_000
const MIB = 2 ** 20

/** Customers who hear at once what is said on their tickets. */
export const events: Group = {
  id: 'events',
  inShort: false,
  async run({ say }) {
    say(`${STREAMS} streams`)
    const measured = await measureStreams(STREAMS)
    if (measured.ended > 0) throw new Error(`${measured.ended} streams ended while they were to stay open`)
    return [
      {
        id: 'events',
        title: 'Event streams',
        text:
          `${measured.streams.toLocaleString('en')} streams of server-sent events, open at once on the one process ` +
          'that `npm start` runs, with a client in a process of its own. Resident memory is without PostgreSQL: as ' +
          'soon as it is ready and tickets are filed, when all are open, and after each has had heartbeats, its token ' +
          'was judged again, and an event was told on it.',
        columns: ['', 'measured', 'goal'],
        rows: rowsOf(measured),
      },
    ]
  },
}

function rowsOf({ idle, open, settled, peak, opening, telling }: StreamsMeasured): ProofRow[] {
  const mib = (value: number) => `${value.toFixed(0)} MiB`
  const seconds = (value: number) => `${value.toFixed(1)} s`
  const most = Math.max(settled, open, peak ?? 0)
  const told = (id: string, what: string, seen: string): ProofRow => ({
    ...{ id: `events.${id}`, cells: [what, seen, ''], verdict: null },
  })
  return [
    told('idle', 'resident, before', mib(idle)),
    told('open', 'resident, all open', mib(open)),
    told('settled', 'resident, after heartbeats and events', mib(settled)),
    {
      ...{ id: 'events.most', cells: ['resident, the most', mib(most), 'under 400 MB'] },
      verdict: most * MIB < GOAL_BYTES ? 'met' : 'short',
    },
    told('opening', 'until all were open', seconds(opening)),
    told('telling', 'until all had heard an event on each', seconds(telling)),
  ]
}
