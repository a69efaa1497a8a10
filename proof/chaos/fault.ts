/** What a row of `npm run chaos` is: a fault, made so many times while callers file tickets, and what must hold. */
export type Fault = {
  /** Names the row for good and picks it by `--only`. */
  id: string
  /** As the page says it. */
  title: string
  /** How often the fault is made, in the long form and in the short one; null: not in the short form. */
  times: { long: number; short: number | null }
  /** Why it cannot be made on this machine, or null where it can. */
  impossible?(): Promise<string | null>
  run(context: FaultContext): Promise<FaultReport>
}

export type FaultContext = {
  /** How often to make the fault. */
  times: number
  form: 'long' | 'short'
  seed: number
  /** From 0 to under 1, the same row for the same seed. What is random in a fault comes from here. */
  random: () => number
  /** A folder of the row's own, which is removed after it. */
  folder: string
  /** Progress, for whoever watches the terminal. */
  say(line: string): void
  /** Aborted when the command is told to stop: the row ends what it started and throws. */
  signal: AbortSignal
}

/** Null: does not apply to this fault. */
export type FaultReport = {
  /** How often the fault was made. */
  times: number
  /** Tickets that were answered with 201, each counted once however often it was asked for. */
  acknowledged: number | null
  /** Of the acknowledged, those that stand in the database whole: ticket, message, delivery, audit entry. */
  present: number | null
  /** Of the acknowledged, those that the desk has got. */
  arrived: number | null
  /** Mails or calls that the desk got beyond the first of each message. All bear the first one's Message-ID. */
  doubles: number | null
  /** What must hold, each with what was seen. */
  checks: Check[]
}

export type Check = {
  /** For example `lost`. */
  what: string
  /** For example `0`. */
  seen: string
  ok: boolean
}
