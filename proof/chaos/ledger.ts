import { randomBytes } from 'node:crypto'
import type { Sql } from '../../server/src/database/pool.ts'
import type { HttpAnswer, NoAnswer } from './caller-connection.ts'
import type { DeskReport } from './desk.ts'
import type { Check } from './fault.ts'
import { readKept } from './ledger.store.ts'

/** What was acknowledged for a key. */
export type Receipt = { brandId: string; ticketId: string; messageId: string }

export type Comparison = {
  acknowledged: number
  present: number
  arrived: number
  doubles: number
  checks: Check[]
}

/**
 * What callers were told, to be held against what is there: a ticket that was acknowledged must stand in the
 * database whole and have come to its desk; what was not need not be there, but may not be there in part.
 */
export class Ledger {
  /** Of the keys, so that two runs on one database share none. */
  readonly run = randomBytes(4).toString('hex')
  readonly receipts = new Map<string, Receipt>()
  /** Answers by status. */
  readonly statuses = new Map<number, number>()
  /** Requests without an answer, by why. */
  readonly unanswered = new Map<NoAnswer, number>()
  /** The bodies' `error` of answers other than 201 and 503, the first of each status. */
  readonly unexpected = new Map<number, string>()
  /** 503 and 409 that came without a Retry-After. */
  withoutRetryAfter = 0
  /** Keys that got other ids than before. */
  contradicted = 0
  /** By `performance.now()`. */
  lastAcknowledgedAt = Number.NEGATIVE_INFINITY
  #begun = 0

  /** A new ticket is about to be asked for. @returns its number */
  begin(): number {
    return this.#begun++
  }

  /** How many tickets were asked for. */
  get begun(): number {
    return this.#begun
  }

  get acknowledged(): number {
    return this.receipts.size
  }

  note(key: string, brandId: string, answer: HttpAnswer | NoAnswer): void {
    if (typeof answer === 'string') {
      this.unanswered.set(answer, (this.unanswered.get(answer) ?? 0) + 1)
      return
    }
    const { status, headers, body } = answer
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1)
    if (status === 201) this.#acknowledge(key, brandId, body)
    else if (status === 503 || status === 409) {
      if (!headers.has('retry-after')) this.withoutRetryAfter++
    }
    if (status !== 201 && status !== 503 && !this.unexpected.has(status)) {
      this.unexpected.set(status, /"error":"([a-z_]+)"/.exec(body)?.[1] ?? 'unknown')
    }
  }

  #acknowledge(key: string, brandId: string, body: string): void {
    this.lastAcknowledgedAt = performance.now()
    const { ticket_id, message_id } = JSON.parse(body) as { ticket_id: string; message_id: string }
    const known = this.receipts.get(key)
    if (known !== undefined && (known.ticketId !== ticket_id || known.messageId !== message_id))
      this.contradicted++
    this.receipts.set(key, { brandId, ticketId: ticket_id, messageId: message_id })
  }

  /** What was answered otherwise than a row allows. @param allowed statuses besides 201 and 503 */
  answerChecks(allowed: number[] = []): Check[] {
    const others = [...this.statuses].filter(([status]) => ![201, 503, ...allowed].includes(status))
    const seen = others.map(([status, count]) =>
      `${count} × ${status} ${this.unexpected.get(status) ?? ''}`.trim(),
    )
    return [
      {
        what: `answers other than ${[201, 503, ...allowed].join(', ')}`,
        seen: seen.join(', ') || '0',
        ok: seen.length === 0,
      },
      count('refusals without Retry-After', this.withoutRetryAfter),
    ]
  }

  /**
   * Holds all that was acknowledged against the database and the desks. Nothing may be under way any more.
   * @param desk null: nothing was to be carried
   * @param options.keysMayEnd where a day has passed by the database's clock, after which keys are swept
   */
  async compare(
    sql: Sql,
    desk: DeskReport | null,
    { keysMayEnd = false }: { keysMayEnd?: boolean } = {},
  ): Promise<Comparison> {
    const kept = await readKept(sql, this.receipts.values())
    const { acknowledged } = this
    const carried = desk === null ? null : this.#carried(desk)
    return {
      acknowledged,
      present: kept.whole,
      arrived: carried?.arrived ?? 0,
      doubles: desk?.doubles ?? 0,
      checks: [
        count('lost', acknowledged - kept.whole),
        count('half-written', kept.halfWritten + (keysMayEnd ? 0 : kept.keyless)),
        count('filed twice', Math.max(0, kept.tickets - this.#begun) + kept.sharedKeys),
        count('keys with two tickets', this.contradicted),
        ...(carried === null || desk === null
          ? []
          : [
              count('not arrived', acknowledged - carried.arrived),
              count('doubles with another Message-ID', carried.secondIds),
              count('doubles that differ in a byte', desk.differing.length),
              count('arrived of no ticket', carried.unknown(kept.messageIds)),
            ]),
      ],
    }
  }

  #carried(desk: DeskReport) {
    const messagesOf = new Map<string, string>()
    let secondIds = 0
    for (const [ticketId, messageId] of desk.received) {
      if (messagesOf.has(ticketId)) secondIds++
      // A Message-ID is <msg_…@domain>, a webhook-id msg_….
      messagesOf.set(ticketId, /msg_[0-9a-f]{32}/.exec(messageId)?.[0] ?? messageId)
    }
    let arrived = 0
    for (const { ticketId, messageId } of this.receipts.values()) {
      if (messagesOf.get(ticketId) === messageId) arrived++
    }
    const unknown = (ids: Set<string>) => [...messagesOf.values()].filter((id) => !ids.has(id)).length
    return { arrived, secondIds, unknown }
  }
}

/** A check of something that there may be none of. */
export function count(what: string, seen: number): Check {
  return { what, seen: String(seen), ok: seen === 0 }
}
