import { LRUCache } from 'lru-cache'
import type { IntrospectionIssuer } from '../../config.ts'
import { type AppError, unavailable } from '../../errors.ts'
import { CLOCK_TOLERANCE } from '../../tickets/caller.ts'
import { callerOf } from './claims.ts'
import { IssuerCallError, type IssuerCalls } from './issuer-call.ts'
import { isRefusal, type RefusalReason, reasonOf, refusal } from './refusals.ts'
import type { Verified } from './verified.ts'

/** Milliseconds that an answer is remembered; a token that is revoked meanwhile goes on for as long. */
export const ACTIVE_REMEMBERED = 30_000
export const INACTIVE_REMEMBERED = 10_000

/** Questions to one issuer at once. The next is refused rather than kept waiting: an issuer that is slow stays so. */
export const QUESTIONS_AT_ONCE = 20

const REMEMBERED_AT_MOST = 10_000

export type Introspector = {
  /**
   * @param key the hash that the token is remembered by
   * @throws AppError `unauthorized`, or `unavailable` where the issuer does not answer as it should
   */
  ask(token: string, key: string): Promise<Verified>
  /** Asks past the memory, for the operator's check: whether the issuer calls this token active. */
  isActive(token: string): Promise<boolean>
}

export type TokenQuestions = { calls: IssuerCalls; timeout: number; now: () => number }

/** Asks an issuer about its tokens (RFC 7662). */
export function createIntrospector(
  issuer: IntrospectionIssuer,
  { calls, timeout, now }: TokenQuestions,
): Introspector {
  const refused = new LRUCache<string, { reason: RefusalReason; from: number; until: number }>({
    max: REMEMBERED_AT_MOST,
  })
  const authorization = basic(issuer)
  let asking = 0

  /** @throws IssuerCallError where the answer says neither active nor inactive */
  async function answerAbout(token: string): Promise<Record<string, unknown> & { active: boolean }> {
    const body = new URLSearchParams({ token, token_type_hint: 'access_token' }).toString()
    const question = {
      issuer: issuer.issuer,
      about: 'token' as const,
      url: issuer.endpoint,
      form: { body, authorization },
    }
    const { json } = await calls.ask(question, AbortSignal.timeout(timeout))
    const { active } = json
    if (typeof active !== 'boolean') throw new IssuerCallError('invalid', 200)
    return { ...json, active }
  }

  async function askNow(token: string): Promise<Verified> {
    const askedAt = now()
    const answer = await answerAbout(token).catch((fault: unknown) => Promise.reject(away(fault)))
    const reason = faultIn(answer, issuer, Math.floor(now() / 1000))
    if (reason !== null) throw refusal(reason)
    return {
      caller: callerOf(issuer.issuer, answer),
      from: askedAt,
      until: Math.min(Number(answer.exp) * 1000, askedAt + ACTIVE_REMEMBERED),
      signedBy: null,
    }
  }

  return {
    async ask(token, key) {
      const known = refused.get(key)
      const at = now()
      // A clock that was put back would keep it for as long.
      if (known !== undefined && known.from <= at && at < known.until) throw refusal(known.reason)
      if (asking >= QUESTIONS_AT_ONCE) throw away('too_many_questions')
      asking += 1
      try {
        return await askNow(token)
      } catch (error) {
        if (isRefusal(error)) {
          const from = now()
          refused.set(key, { reason: reasonOf(error), from, until: from + INACTIVE_REMEMBERED })
        }
        throw error
      } finally {
        asking -= 1
      }
    },
    isActive: async (token) => (await answerAbout(token)).active,
  }
}

/**
 * What is wrong with an answer, or null. RFC 7662, section 2.2 makes every member but `active` optional; here
 * `exp` is required, and `aud` where an audience is set.
 * @param at epoch seconds
 */
function faultIn(
  answer: Record<string, unknown> & { active: boolean },
  issuer: IntrospectionIssuer,
  at: number,
): RefusalReason | null {
  if (!answer.active) return 'inactive'
  const { exp, nbf, iss, aud } = answer
  if (typeof exp !== 'number' || (nbf !== undefined && typeof nbf !== 'number')) return 'claims'
  if (iss !== undefined && iss !== issuer.issuer) return 'claims'
  if (issuer.audience !== null && aud !== issuer.audience) {
    if (!Array.isArray(aud) || !aud.includes(issuer.audience)) return 'audience'
  }
  if (exp <= at - CLOCK_TOLERANCE) return 'expired'
  return nbf !== undefined && nbf > at + CLOCK_TOLERANCE ? 'not_yet' : null
}

/** HTTP Basic, with each half encoded as a form would (RFC 6749, section 2.3.1). */
function basic({ clientId, clientSecret }: IntrospectionIssuer): string {
  return `Basic ${Buffer.from(`${formEncoded(clientId)}:${formEncoded(clientSecret)}`).toString('base64')}`
}

function formEncoded(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1)
}

function away(cause: unknown): AppError {
  return unavailable('The issuer of the access token does not say now whether it is active.', 1, cause)
}
