import type { Answer } from './answer.ts'
import type { Case } from './case.ts'
import type { Surface } from './surface.ts'
import { CANARY } from './values.ts'

/** The server is full, or somebody it needs is away: it may say so at any time, and it is counted. */
const AWAY = 503
const JSON_TYPE = 'application/json; charset=utf-8'

/** What an answer must have, which no document says of requests that ask for none of its operations. */
const ALWAYS_WITH: Record<number, string> = {
  401: 'www-authenticate',
  405: 'allow',
  429: 'retry-after',
  503: 'retry-after',
}

/** Documented, and there only where a request was made before. */
const SOMETIMES = 'idempotency-replayed'

/** @returns what is wrong with the answer, and null where nothing is */
export function judge(surface: Surface, one: Case, answer: Answer): string | null {
  return (
    judgeStatus(surface, one, answer) ??
    judgeHeaders(surface, one, answer) ??
    (answer.status >= 400 ? judgeRefusal(surface, one, answer) : judgeBody(surface, one, answer))
  )
}

function judgeStatus(surface: Surface, one: Case, { status }: Answer): string | null {
  if (status === AWAY) return null
  if (status >= 500) return `it answered ${status}`
  if (one.expect !== null) {
    return one.expect.includes(status)
      ? null
      : `it answered ${status} where ${one.expect.join(' or ')} is right`
  }
  return documented(surface, one).has(status) ? null : `it answered ${status}, which is not documented there`
}

function documented(surface: Surface, one: Case): Set<number> {
  const operation = surface.operations.find(({ name }) => name === one.operation)
  if (operation !== undefined) {
    const found = new Set([...surface.anywhere, ...operation.answers.keys()])
    // The path is there, and so is the method.
    for (const status of [404, 405]) if (!operation.answers.has(status)) found.delete(status)
    return found
  }
  if (one.raw === undefined) return surface.anywhere
  return new Set([...surface.anywhere, ...surface.operations.flatMap(({ answers }) => [...answers.keys()])])
}

function judgeHeaders(surface: Surface, one: Case, { status, headers }: Answer): string | null {
  const operation = surface.operations.find(({ name }) => name === one.operation)
  const answer = operation?.answers.get(status)
  // What takes no token is signed, and its challenge names how.
  const takesToken = operation === undefined || operation.secured
  for (const name of [ALWAYS_WITH[status], ...(answer?.headers ?? [])]) {
    if (name !== undefined && name !== SOMETIMES && (headers.get(name) ?? '') === '')
      return `its ${status} lacks the header ${name}`
  }
  const after = headers.get('retry-after')
  if (after !== undefined && !/^\d+$/.test(after)) return 'its Retry-After is no number of seconds'
  if (status === 401 && takesToken !== headers.get('www-authenticate')?.startsWith('Bearer '))
    return 'its challenge is another'
  return null
}

function judgeRefusal(surface: Surface, one: Case, { status, headers, head, text }: Answer): string | null {
  if (head.includes(CANARY) || text.includes(CANARY)) return 'a refusal repeats what was sent'
  if (headers.get('content-type') !== JSON_TYPE) return 'a refusal is no JSON in UTF-8'
  if (one.method === 'HEAD') return text === '' ? null : 'the answer to HEAD has a body'
  const body = parse(text)
  if (typeof body !== 'object' || body === null) return 'a refusal has no JSON body'
  const { error, message, ...rest } = body as Record<string, unknown>
  if (typeof error !== 'string' || typeof message !== 'string' || Object.keys(rest).length > 0) {
    return 'a refusal has another body than error and message'
  }
  if (!/^\S[^\n]*\.$/.test(message)) return 'a refusal’s message is no sentence'
  if (surface.codes.get(error)?.has(status) !== true)
    return `a ${status} has a code that is not documented for it`
  if (status !== AWAY && one.codes !== undefined && !one.codes.includes(error)) {
    return `the code is ${error} where ${one.codes.join(' or ')} is right`
  }
  return null
}

function judgeBody(surface: Surface, one: Case, { status, headers, text }: Answer): string | null {
  if (one.method === 'HEAD') return text === '' ? null : 'the answer to HEAD has a body'
  const holds = surface.operations.find(({ name }) => name === one.operation)?.answers.get(status)?.holds
  if (holds === undefined || holds === null) return null
  if (headers.get('content-type') !== JSON_TYPE) return 'a body that has a schema is no JSON in UTF-8'
  return holds(parse(text)) ? null : `the body of a ${status} is not as its schema says`
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
