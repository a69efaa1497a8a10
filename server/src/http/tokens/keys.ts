import type { JwtIssuer } from '../../config.ts'
import { type AppError, unavailable } from '../../errors.ts'
import { discoverKeys } from './discovery.ts'
import { IssuerCallError, type IssuerCalls } from './issuer-call.ts'
import { type KeySet, keySetOf } from './key-set.ts'

/**
 * How old keys may be, in milliseconds. jose's own remote set forgets its keys after a while and then needs
 * the issuer for every token; this one goes on with them while the issuer is away, and no longer than a day.
 */
export const KEY_AGES = {
  /** From here on they are asked for again, behind the tokens that they verify, and so is where they are. */
  refresh: 300_000,
  /** From here on (a quiet night) the token waits for them first, but not for long. */
  stale: 600_000,
  staleWait: 2_000,
  /** The end. */
  dead: 86_400_000,
  /**
   * Between two times that an unknown key has them asked for again. With the first time of all, and the
   * discovery, sixty unknown keys in a minute cost an issuer five questions.
   */
  unknown: 25_000,
  /** After the issuer did not answer: with keys in hand, and without. */
  restWithKeys: 15_000,
  restWithout: 1_000,
  /** A failure this long ago says nothing of now. */
  outage: 60_000,
}

export type KeyHolder = {
  /** The keys in hand, whatever their age. A token verified with others is to be verified again. */
  readonly current: KeySet | null
  /** How many times they have come, changed or not. */
  readonly fetches: number
  /** @throws AppError `unavailable` where there are none and the issuer is away */
  get(): KeySet | Promise<KeySet>
  /**
   * Asks for the keys again because a token named one that is not among them, if it is not too soon.
   * @returns false where it cannot be told whether the issuer has such a key, since it did not answer
   */
  lookAgain(): Promise<boolean>
}

/** The 503 of an issuer whose keys would be needed and are not to be had. */
export function keysAway(cause?: unknown): AppError {
  return unavailable('The issuer of the access token does not give its keys now.', 1, cause)
}

/** Keys from a file: they are what they are until the next start. */
export function fixedKeys(members: readonly unknown[]): KeyHolder {
  const current = keySetOf(members)
  return { current, fetches: 0, get: () => current, lookAgain: () => Promise.resolve(true) }
}

export type KeyQuestions = { calls: IssuerCalls; timeout: number; now: () => number }

/** The keys of an issuer that are asked for, by their URI or by discovery. */
export function issuedKeys(issuer: JwtIssuer, { calls, timeout, now }: KeyQuestions): KeyHolder {
  let set: KeySet | null = null
  let text = ''
  let fetches = 0
  let fetchedAt = -Infinity
  let failedAt = -Infinity
  let lookedAt = -Infinity
  let fault: unknown = null
  let place: { uri: string; foundAt: number } | null = null
  let fetching: Promise<boolean> | null = null

  /** One question at a time; those who come meanwhile wait for the same. It never rejects. */
  function refresh(): Promise<boolean> {
    fetching ??= fetchOnce().finally(() => {
      fetching = null
    })
    return fetching
  }

  async function fetchOnce(): Promise<boolean> {
    const startedAt = now()
    const signal = AbortSignal.timeout(timeout)
    try {
      if (place === null || since(place.foundAt) >= KEY_AGES.refresh) {
        place = { uri: await findKeys(signal), foundAt: startedAt }
      }
      const answer = await calls.ask({ issuer: issuer.issuer, about: 'keys', url: place.uri }, signal)
      // The same text keeps the same set, with its imported keys and the tokens that it has verified.
      if (set === null || answer.text !== text) set = validSet(answer.json)
      text = answer.text
      fetchedAt = startedAt
      fetches += 1
      failedAt = -Infinity
      return true
    } catch (error) {
      place = null
      failedAt = now()
      fault = error
      return false
    }
  }

  async function findKeys(signal: AbortSignal): Promise<string> {
    return issuer.keys.from === 'uri' ? issuer.keys.uri : discoverKeys(issuer.issuer, calls, signal)
  }

  /** Milliseconds; a clock that was put back counts as long ago. */
  function since(moment: number): number {
    const passed = now() - moment
    return passed < 0 ? Infinity : passed
  }

  async function getWaiting(limit: number | null): Promise<KeySet> {
    await (limit === null ? refresh() : atMost(limit, refresh()))
    if (set === null) throw keysAway(fault)
    return set
  }

  return {
    get current() {
      return set
    },
    get fetches() {
      return fetches
    },

    get() {
      if (set !== null && now() - fetchedAt >= KEY_AGES.dead) set = null
      if (set === null) {
        if (fetching === null && since(failedAt) < KEY_AGES.restWithout) throw keysAway(fault)
        return getWaiting(null)
      }
      const age = since(fetchedAt)
      if (age < KEY_AGES.refresh || since(failedAt) < KEY_AGES.restWithKeys) return set
      if (age >= KEY_AGES.stale && since(failedAt) >= KEY_AGES.outage) return getWaiting(KEY_AGES.staleWait)
      void refresh()
      return set
    },

    lookAgain() {
      if (fetching !== null) return fetching
      // One token waits for one question, so that it is answered in time whatever the issuer does.
      if (since(failedAt) < KEY_AGES.restWithout) return Promise.resolve(false)
      if (since(lookedAt) < KEY_AGES.unknown) return Promise.resolve(failedAt === -Infinity)
      lookedAt = now()
      return refresh()
    },
  }
}

function validSet(json: Record<string, unknown>): KeySet {
  const members = json.keys
  if (!Array.isArray(members)) throw new IssuerCallError('invalid', 200)
  return keySetOf(members)
}

async function atMost(milliseconds: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, milliseconds)
  timer.unref()
  await Promise.race([work, promise])
  clearTimeout(timer)
}
