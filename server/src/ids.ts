import { randomUUIDv7 } from 'node:crypto'

/**
 * Identifiers: a prefix that says what the thing is, and a UUIDv7 (RFC 9562) without dashes, so that keys
 * made on many processes are unique without a shared counter and land side by side in an index.
 *
 * The database keeps the UUID; the prefix exists only where people and other programs read it.
 */
export type IdPrefix = 'tkt' | 'msg' | 'att' | 'dlv' | 'inb'

let last = ''

/**
 * A new UUIDv7 with dashes, as the database's `uuid` columns take it. Each is behind the one before, also within a
 * millisecond and where the clock is put back (RFC 9562, section 6.2, method 2): what one process makes in an order
 * is read in it.
 */
export function newUuid(): string {
  const uuid = randomUUIDv7()
  last = uuid > last ? uuid : behind(last, uuid)
  return last
}

/** @param random a UUID whose random bits say how far behind */
function behind(uuid: string, random: string): string {
  const node = Number.parseInt(uuid.slice(24), 16) + Number.parseInt(random.slice(28), 16) + 1
  if (node < 2 ** 48) return uuid.slice(0, 24) + node.toString(16).padStart(12, '0')
  const next = (Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16) + 1).toString(16).padStart(12, '0')
  return `${next.slice(0, 8)}-${next.slice(8)}${random.slice(13)}`
}

/** `tkt_0199…` from a UUID. */
export function toId(prefix: IdPrefix, uuid: string): string {
  return `${prefix}_${uuid.replaceAll('-', '')}`
}

/** The UUID in an identifier of this kind, or null where the text is not one. */
export function fromId(prefix: IdPrefix, id: string): string | null {
  const match = new RegExp(
    `^${prefix}_([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$`,
  ).exec(id)
  return match === null ? null : match.slice(1).join('-')
}
