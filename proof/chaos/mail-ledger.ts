import type { Sql } from '../../server/src/database/pool.ts'
import { fromId } from '../../server/src/ids.ts'
import type { HttpAnswer, NoAnswer } from './caller-connection.ts'
import type { Check } from './fault.ts'
import { count } from './ledger.ts'
import { readMails } from './mail-ledger.store.ts'

/** What senders of mail were told, to be held against what is there. */
export class MailLedger {
  /**
   * The mail that an acknowledgement names, a UUID, by the Message-ID of what was handed over; null where the mail
   * lies in a mailbox, and nobody acknowledges it.
   */
  readonly taken = new Map<string, string | null>()
  /** Answers that are none of 200, 201, 429 and 503. */
  #refused = 0
  #begun = 0

  begin(): void {
    this.#begun++
  }

  /** A mail lies in a mailbox from now on. */
  deliver(mail: Buffer): void {
    this.taken.set(messageIdOf(mail), null)
  }

  get begun(): number {
    return this.#begun
  }

  note(mail: Buffer, answer: HttpAnswer | NoAnswer): void {
    if (typeof answer === 'string') return
    const { status, body } = answer
    if (status === 200 || status === 201) {
      const { inbound_id } = JSON.parse(body) as { inbound_id: string }
      const id = fromId('inb', inbound_id)
      if (id === null) throw new Error('a mail was acknowledged without an id')
      this.taken.set(messageIdOf(mail), id)
    } else if (status !== 429 && status !== 503) this.#refused++
  }

  /** Nothing may be under way any more. @returns what must hold, and how many are there */
  async compare(sql: Sql): Promise<{ acknowledged: number; present: number; checks: Check[] }> {
    const kept = await readMails(sql, this.taken)
    return {
      acknowledged: this.taken.size,
      present: kept.present,
      checks: [
        count('lost', this.taken.size - kept.present),
        count('not settled', kept.unsettled),
        count('made no message', kept.withoutMessage),
        count('made two messages', kept.twice),
        count('quarantined', kept.quarantined),
        count('answers other than 200, 201, 429, 503', this.#refused),
        { what: 'to see', seen: `${kept.duplicates} came twice and were known`, ok: true },
      ],
    }
  }
}

function messageIdOf(mail: Buffer): string {
  const id = /^Message-ID: (\S+)\r$/m.exec(mail.toString('latin1', 0, 2000))?.[1]
  if (id === undefined) throw new Error('a mail has no Message-ID')
  return id
}
