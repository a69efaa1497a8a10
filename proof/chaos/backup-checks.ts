import type { Check } from './fault.ts'
import { count } from './ledger.ts'

/** What was seen of all backups. */
export type Seen = ReturnType<typeof nothingSeen>

export function nothingSeen() {
  return {
    backups: 0,
    verified: 0,
    restored: 0,
    doctored: 0,
    released: 0,
    /** Acknowledged before the backups began, each counted at each backup. */
    acknowledged: 0,
    lost: 0,
    halfWritten: 0,
    /** Rows of the restored databases that the first one does not have in the same words. */
    other: 0,
    rows: 0,
    attachments: 0,
    changedDeliveries: 0,
    /** Deliveries that the copies had to carry, and what came to the desks from them: on hold, and in all. */
    undelivered: 0,
    carriedOnHold: 0,
    carriedByCopies: 0,
  }
}

export function backupChecks(times: number, seen: Seen): Check[] {
  const all = (what: string, number: number): Check => ({
    what,
    seen: `${number} of ${times}`,
    ok: number === times,
  })
  const some = (what: string, number: number): Check => ({ what, seen: String(number), ok: number > 0 })
  return [
    all('backups made', seen.backups),
    all('found whole by --verify', seen.verified),
    all('restored', seen.restored),
    all('whole by doctor --deep, attachments too', seen.doctored),
    some('acknowledged before a backup, each counted at each', seen.acknowledged),
    count('of those not in it', seen.lost),
    count('half-written in a restored one', seen.halfWritten),
    some('rows compared, idempotency keys too', seen.rows),
    count('rows that differ', seen.other),
    count('deliveries in another state than at the backup', seen.changedDeliveries),
    some('attachments restored', seen.attachments),
    all('released from their hold, and carried to the end', seen.released),
    count('sent while on hold', seen.carriedOnHold),
    {
      what: 'sent by the copies, of what was not delivered when the backup was made',
      seen: `${seen.carriedByCopies} of ${seen.undelivered}`,
      ok: seen.carriedByCopies === seen.undelivered && seen.undelivered > 0,
    },
  ]
}
