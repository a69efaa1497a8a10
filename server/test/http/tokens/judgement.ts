import type { Issuer } from '../../../src/config.ts'
import { AppError } from '../../../src/errors.ts'
import type { IssuerTimeouts } from '../../../src/http/tokens/issuer-call.ts'
import { createTokenJudge, type TokenJudge } from '../../../src/http/tokens/tokens.ts'

/** A clock that a test sets forward. */
export type Clock = { now: () => number; forward(milliseconds: number): void }

export function startClock(): Clock {
  let at = Date.now()
  return {
    now: () => at,
    forward(milliseconds) {
      at += milliseconds
    },
  }
}

/** As the real ones, but for a test that waits for them. */
export const SHORT: IssuerTimeouts = { connect: 300, idle: 300, keys: 400, introspection: 400 }

export type Judgement = {
  status: number
  person: string | null
  reason: unknown
  challenge: string | undefined
}

/** What a caller with this header meets: 200 and who they are, or the error. */
export async function judgeHeader(
  judge: TokenJudge,
  header: string | string[] | undefined,
): Promise<Judgement> {
  try {
    const caller = await judge.judge(header)
    return { status: 200, person: caller.subject, reason: null, challenge: undefined }
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return {
      status: error.status,
      person: null,
      reason: error.cause,
      challenge: error.headers['www-authenticate'],
    }
  }
}

export function judgeToken(judge: TokenJudge, token: string): Promise<Judgement> {
  return judgeHeader(judge, `Bearer ${token}`)
}

export async function statusOf(judge: TokenJudge, token: string): Promise<number> {
  return (await judgeToken(judge, token)).status
}

export function judgeFor(issuers: Issuer[], clock: Clock, timeouts: IssuerTimeouts = SHORT): TokenJudge {
  return createTokenJudge({ issuers, now: clock.now, timeouts })
}
