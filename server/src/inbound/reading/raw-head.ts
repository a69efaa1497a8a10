/**
 * A mail's header block as it came (RFC 5322, section 2.2): every field in its order, nothing merged, nothing
 * decoded. Who speaks is decided on this, since a library that makes a map of fields has chosen one of two already.
 */

/** `name` in lower case; `value` unfolded, without what surrounds it. Bytes that are not UTF-8 are U+FFFD. */
export type Field = { name: string; value: string }

export type RawHead = { fields: Field[]; bodyAt: number }

/** Of the header block, in bytes: the bound of mailparser, too. */
export const HEAD_BYTES = 1024 * 1024
const LF = 0x0a
const CR = 0x0d
// `From :` is obsolete and still a From field (RFC 5322, section 4.5).
const FIELD = /^([!-9;-~]{1,255})[ \t]*:(.*)$/s

/** @returns null where the header block is over HEAD_BYTES */
export function readHead(raw: Buffer): RawHead | null {
  const fields: Field[] = []
  let pending: Buffer[] = []
  let at = 0
  const end = () => {
    const field = FIELD.exec(Buffer.concat(pending).toString('utf8'))
    if (field) fields.push({ name: (field[1] ?? '').toLowerCase(), value: (field[2] ?? '').trim() })
    pending = []
  }
  while (at < raw.length) {
    const feed = raw.indexOf(LF, at)
    const next = feed === -1 ? raw.length : feed + 1
    let stop = feed === -1 ? raw.length : feed
    if (stop > at && raw[stop - 1] === CR) stop--
    if (next > HEAD_BYTES) return null
    if (stop === at) {
      at = next
      break
    }
    const folded = raw[at] === 0x20 || raw[at] === 0x09
    if (!folded) end()
    pending.push(raw.subarray(at, stop))
    at = next
  }
  end()
  return { fields, bodyAt: at }
}

/** The values of all fields of this name, in lower case, topmost first. */
export function valuesOf(fields: readonly Field[], name: string): string[] {
  return fields.filter((field) => field.name === name).map((field) => field.value)
}

/** A pipe of a mail server may begin with the line of an mbox file, which is no header field. */
export function withoutMboxLine(raw: Buffer): Buffer {
  // `From : ada@example.com` is a field, and no such line.
  if (!/^From +[^ :]/.test(raw.toString('latin1', 0, 1000))) return raw
  const feed = raw.indexOf(LF)
  return feed === -1 ? raw : raw.subarray(feed + 1)
}
