import type { KeptPage, ProofPage, ProofRow, ProofSection } from '../page.ts'
import type { Examined } from './afterwards.ts'
import { GROWTH_LIMIT, type Growth } from './memory.ts'
import type { Tally } from './tally.ts'

export type Result = {
  tally: Tally
  seconds: number
  /** Null where it ended early. */
  growth: Growth | null
  examined: Examined
  log: { lines: number; leaks: number }
  failures: number
}

/** Of all answers, how many may say that the server is full, on a machine that the load shares. */
const AWAY_LIMIT = 0.01
/** Of bytes that were changed so that nobody knows whether they are a request, how many may be heard in silence. */
const UNANSWERED_LIMIT = 0.1
/** Requests of which the second half says whether memory grows. */
const JUDGED_FROM = 500_000

const TEXT =
  'Requests are made by fast-check from what `/openapi.json` says: right ones, and such whose body, token, ' +
  'headers, method, path or bytes were changed. Of many it is known which answer is right: what the schema allows ' +
  'is 201 and its owner reads it as it was sent, a forged token is 401, a body cut short is `invalid_json`. Of the ' +
  'others each answer must be one that the document has there. No answer may be a 5xx besides 503, have another ' +
  'error body than `{error, message}` with a documented code, lack a documented header, or repeat what was sent.'

export function pageOf(sections: ProofSection[]): ProofPage {
  return { name: 'fuzz', title: 'What any request is answered', text: TEXT, sections }
}

const ORDER = ['answers', 'surface', 'memory', 'invariants', 'mails']

/** In the page's order, whichever part was run: sections that were not are named without rows, and stay. */
export function inPageOrder(page: ProofPage, kept: KeptPage | null): ProofPage {
  const ids = new Set(page.sections.map(({ id }) => id))
  const stay = (kept?.sections ?? []).filter(({ id }) => !ids.has(id))
  const named = stay.map(({ rows: _kept, ...section }): ProofSection => ({ ...section, rows: [] }))
  const placeOf = ({ id }: ProofSection) => ORDER.indexOf(id)
  return { ...page, sections: [...page.sections, ...named].sort((a, b) => placeOf(a) - placeOf(b)) }
}

/** @param least requests that the form of the run promises */
export function sectionsOf(result: Result, least: number): ProofSection[] {
  return [verdicts(result, least), surface(result.tally), memory(result), invariants(result.examined)]
}

function verdicts({ tally, seconds, examined, log, failures }: Result, least: number): ProofSection {
  const away = tally.answers(503)
  // A statement whose caller was told that the database is slow may still be committed.
  const unsure = away + tally.givenUp
  const held = (id: string, claim: string, seen: string, holds: boolean): ProofRow => ({
    id,
    cells: [claim, seen],
    verdict: holds ? 'held' : 'broken',
  })
  return {
    id: 'answers',
    title: 'Answers',
    text: `${tally.requests} requests in ${seconds.toFixed(0)} s, by callers on the same machine.`,
    columns: ['what must hold', 'seen'],
    rows: [
      {
        id: 'answers.requests',
        cells: ['requests as many as the form says', `${tally.requests} of ${least}`],
        verdict: tally.requests >= least ? 'held' : 'short',
      },
      held('answers.right', 'every answer is right', `${failures} wrong`, failures === 0),
      held(
        'answers.away',
        `at most ${AWAY_LIMIT * 100} % are 503`,
        `${away} of ${tally.requests}`,
        away <= tally.requests * AWAY_LIMIT,
      ),
      held(
        'answers.none',
        `of changed bytes that may be a request, at most ${UNANSWERED_LIMIT * 100} % get no answer`,
        `${tally.givenUp} of ${tally.unsure}`,
        tally.givenUp <= tally.unsure * UNANSWERED_LIMIT,
      ),
      held(
        'answers.tickets',
        'tickets answered with 201 = tickets in the database, but for what 503 was said to or nobody heard',
        `${tally.tickets} and ${examined.tickets}; ${unsure} unsure`,
        tally.tickets <= examined.tickets && examined.tickets <= tally.tickets + unsure,
      ),
      held(
        'answers.log',
        'no line of the log repeats what was sent',
        `${log.leaks} of ${log.lines}`,
        log.leaks === 0,
      ),
    ],
  }
}

function surface(tally: Tally): ProofSection {
  const rows = tally.rows().map(
    ({ operation, status, count }): ProofRow => ({
      id: `surface.${operation}.${status}`,
      cells: [operation, String(status), String(count)],
      verdict: null,
    }),
  )
  const hungUp: ProofRow = {
    id: 'surface.none',
    cells: ['what broke off before it was a request', 'none', String(tally.hungUp)],
    verdict: null,
  }
  return {
    id: 'surface',
    title: 'Surface',
    text: 'What was asked for, and how it was answered.',
    columns: ['operation', 'status', 'answers'],
    rows: [...rows, hungUp],
    order: [...rows, hungUp].map(({ id }) => id),
  }
}

function memory({ growth, tally }: Result): ProofSection {
  const row = (id: string, what: string, mib: number, verdict: ProofRow['verdict'] = null): ProofRow => ({
    id: `memory.${id}`,
    cells: [what, `${mib.toFixed(0)} MiB`],
    verdict,
  })
  const verdict = (of: Growth) => (of.perMillion <= GROWTH_LIMIT ? 'held' : 'broken')
  const judged = growth === null || tally.requests < JUDGED_FROM ? null : verdict(growth)
  return {
    id: 'memory',
    title: 'Memory',
    text:
      'What the process has resident. Growth is the slope of a line through the samples of the second half; ' +
      'it holds up to ' +
      `${GROWTH_LIMIT} MiB in a million requests. A run of fewer than ${JUDGED_FROM.toLocaleString('en')}, in which caches still fill, is not judged.`,
    columns: ['', 'resident'],
    rows:
      growth === null
        ? []
        : [
            row('start', 'at the start', growth.start),
            row('half', 'half-way', growth.half),
            row('end', 'at the end', growth.end),
            row('most', 'at most', growth.most),
            row('growth', 'growth in a million requests', growth.perMillion, judged),
          ],
  }
}

function invariants({ well, lines }: Examined): ProofSection {
  const rows = lines.map(
    ({ claim, holds }): ProofRow => ({
      // What breaks it stands behind a colon.
      id: `invariants.${claim.split(':')[0]}`,
      cells: [claim],
      verdict: holds ? 'held' : 'broken',
    }),
  )
  const all: ProofRow = { id: 'invariants.all', cells: ['all of them'], verdict: well ? 'held' : 'broken' }
  return {
    id: 'invariants',
    title: 'What stands in the database after it',
    text: 'As `bellhop doctor --deep` finds it, while the server runs.',
    columns: ['invariant'],
    rows: [...rows, all],
    order: [...rows, all].map(({ id }) => id),
  }
}
