import { hash, randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Issuer } from '../../config.ts'
import type { Caller } from '../../tickets/caller.ts'
import { bearerToken, checkCharacters } from './bearer.ts'
import { createIntrospector, type Introspector } from './introspection.ts'
import { createIssuerCalls, ISSUER_TIMEOUTS, type IssuerCall, type IssuerTimeouts } from './issuer-call.ts'
import { checkIntrospection, checkKeys, type IssuerVerdict } from './issuer-check.ts'
import { createJwtVerifier, type JwtVerifier } from './jwt.ts'
import { fixedKeys, issuedKeys } from './keys.ts'
import { refusal } from './refusals.ts'
import { shapeOf } from './token-shape.ts'
import { holds, type Verified } from './verified.ts'

/** Tokens that are remembered; the least recently used one goes first. */
const REMEMBERED_AT_MOST = 10_000

export type TokenJudge = {
  /**
   * Who is calling. A token that has held lately is answered at once, without a promise, and costs a hash and
   * a look-up: most requests of a busy desk come with such a one.
   * @param authorization every Authorization header of the request, see `authorizationOf`
   * @throws AppError `unauthorized`, at once or by the promise; `unavailable` where the issuer is needed and away
   */
  judge(authorization: string | readonly string[] | undefined): Caller | Promise<Caller>
  /**
   * Asks this issuer, past all memory, whether it could be asked about a token now.
   * @param issuer the exact `iss` of one that is configured
   */
  verify(issuer: string): Promise<IssuerVerdict>
  close(): Promise<void>
}

export type TokenJudgeOptions = {
  issuers: readonly Issuer[]
  /** Epoch milliseconds. */
  now: () => number
  /** Hears how each question to an issuer ended. */
  onIssuerCall?: (call: IssuerCall) => void
  timeouts?: IssuerTimeouts
}

type Route =
  | { kind: 'jwt'; verifier: JwtVerifier; check: () => Promise<IssuerVerdict> }
  | {
      kind: 'introspection'
      introspector: Introspector
      prefix: string | null
      check: () => Promise<IssuerVerdict>
    }

type Introspection = Extract<Route, { kind: 'introspection' }>

export function createTokenJudge(options: TokenJudgeOptions): TokenJudge {
  const { issuers, now, onIssuerCall, timeouts = ISSUER_TIMEOUTS } = options
  const calls = createIssuerCalls(timeouts, onIssuerCall)
  const routes = new Map(issuers.map((issuer) => [issuer.issuer, routeTo(issuer)]))
  const introspections = [...routes.values()].filter((route) => route.kind === 'introspection')
  // By hash, so that a dump of this process's memory holds no list of tokens.
  const remembered = new LRUCache<string, Verified>({ max: REMEMBERED_AT_MOST })
  const underway = new Map<string, Promise<Caller>>()

  function routeTo(issuer: Issuer): Route {
    if (issuer.kind === 'introspection') {
      const introspector = createIntrospector(issuer, { calls, timeout: timeouts.introspection, now })
      const check = () => checkIntrospection(issuer, introspector, () => randomBytes(32).toString('hex'))
      return { kind: 'introspection', introspector, prefix: issuer.tokenPrefix, check }
    }
    const { keys } = issuer
    const newHolder = () =>
      keys.from === 'file'
        ? fixedKeys(keys.jwks.keys)
        : issuedKeys(issuer, { calls, timeout: timeouts.keys, now })
    const verifier = createJwtVerifier(issuer, newHolder(), now)
    return { kind: 'jwt', verifier, check: () => checkKeys(issuer, newHolder()) }
  }

  async function judgeAnew(token: string, key: string): Promise<Caller> {
    const verified = await verifyAnew(token, key)
    remembered.set(key, verified)
    return verified.caller
  }

  function verifyAnew(token: string, key: string): Promise<Verified> {
    const shape = shapeOf(token)
    if (shape.kind === 'jwe') throw refusal('encrypted')
    if (shape.kind === 'opaque') return introspectorOf(token).ask(token, key)
    // A token that names its issuer is shown to no other.
    const route = shape.issuer === null ? undefined : routes.get(shape.issuer)
    if (route === undefined) throw refusal('unknown_issuer')
    return route.kind === 'jwt'
      ? route.verifier.verify(token, shape.header)
      : route.introspector.ask(token, key)
  }

  /** The one whose prefix fits, the longest first, or the only one there is where it has none. */
  function introspectorOf(token: string): Introspector {
    const fitting = introspections
      .filter(({ prefix }) => prefix !== null && token.startsWith(prefix))
      .toSorted((a, b) => (b.prefix?.length ?? 0) - (a.prefix?.length ?? 0))
    const only =
      introspections.length === 1 && introspections[0]?.prefix === null ? introspections[0] : undefined
    const route: Introspection | undefined = fitting[0] ?? only
    if (route === undefined) throw refusal('unknown_issuer')
    return route.introspector
  }

  return {
    judge(authorization) {
      const token = bearerToken(authorization)
      const key = hash('sha256', token, 'base64url')
      const known = remembered.get(key)
      if (known !== undefined) {
        if (holds(known, now())) return known.caller
        remembered.delete(key)
      }
      const same = underway.get(key)
      if (same !== undefined) return same
      checkCharacters(token)
      const judgement = judgeAnew(token, key).finally(() => underway.delete(key))
      underway.set(key, judgement)
      return judgement
    },

    async verify(issuer) {
      const route = routes.get(issuer)
      if (route === undefined) throw new TypeError('only a configured issuer can be verified')
      return route.check()
    },

    close: () => calls.close(),
  }
}
