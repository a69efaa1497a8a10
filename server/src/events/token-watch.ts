import { AppError } from '../errors.ts'
import type { Caller } from '../tickets/caller.ts'
import type { EventStream } from './event-stream.ts'

/** As `http/` judges a token: at once where it was judged lately. */
export type Judge = (authorization: string | readonly string[] | undefined) => Caller | Promise<Caller>

/** Whether a token holds; `unknown`: nobody says so now. */
export type Verdict = 'holds' | 'refused' | 'unknown'

/** Questions to one issuer at once: half of what it may be asked, since requests have the other half. */
const AT_ONCE = 10

/** One issuer's: a slow one keeps nobody else's streams waiting. */
type Line = { waiting: Set<EventStream>; underway: number }

/** Judges the tokens of open streams again, few at a time. */
export class TokenWatch {
  readonly #judge: Judge
  readonly #onVerdict: (stream: EventStream, verdict: Verdict) => void
  readonly #lines = new Map<string, Line>()

  constructor(judge: Judge, onVerdict: (stream: EventStream, verdict: Verdict) => void) {
    this.#judge = judge
    this.#onVerdict = onVerdict
  }

  /** Puts a stream in line; once is enough. */
  ask(stream: EventStream): void {
    const { issuer } = stream.of
    const line = this.#lines.get(issuer) ?? { waiting: new Set(), underway: 0 }
    this.#lines.set(issuer, line)
    line.waiting.add(stream)
    this.#advance(line)
  }

  #advance(line: Line): void {
    for (const stream of line.waiting) {
      if (line.underway >= AT_ONCE) return
      line.waiting.delete(stream)
      if (stream.end !== null) continue
      line.underway++
      void this.#look(stream).finally(() => {
        line.underway--
        this.#advance(line)
      })
    }
  }

  async #look(stream: EventStream): Promise<void> {
    try {
      await this.#judge(stream.of.authorization)
      this.#onVerdict(stream, 'holds')
    } catch (error) {
      const isRefused = error instanceof AppError && error.code === 'unauthorized'
      this.#onVerdict(stream, isRefused ? 'refused' : 'unknown')
    }
  }
}
