import type { onRequestHookHandler } from 'fastify'
import type { Caller } from '../tickets/caller.ts'
import { authorizationOf } from './tokens/bearer.ts'

/** @returns at once for a token that was verified before */
export type JudgeToken = (authorization: string | readonly string[] | undefined) => Caller | Promise<Caller>

/**
 * Judges the access token before the body is read, so that who has none cannot make the server read 26 MiB.
 */
export function tokenGuard(judge: JudgeToken): onRequestHookHandler {
  return (request, _reply, done) => {
    let verdict: Caller | Promise<Caller>
    try {
      verdict = judge(authorizationOf(request.raw.rawHeaders))
    } catch (error) {
      done(error as Error)
      return
    }
    if (!(verdict instanceof Promise)) {
      request.caller = verdict
      done()
      return
    }
    verdict.then(
      (caller) => {
        request.caller = caller
        done()
      },
      (error: Error) => done(error),
    )
  }
}
