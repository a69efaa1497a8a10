import { randomUUIDv7 } from 'node:crypto'

/**
 * Identifiers: a prefix that says what the thing is, and a UUIDv7 (RFC 9562) without dashes, so that keys
 * made on many processes are unique without a shared counter and land side by side in an index.
 *
 * The database keeps the UUID; the prefix exists only where people and other programs read it.
 */
export type IdPrefix = 'tkt' | 'msg' | 'att' | 'dlv'

/** A new UUIDv7 with dashes, as the database's `uuid` columns take it. */
export function newUuid(): string {
  return randomUUIDv7()
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
