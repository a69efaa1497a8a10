import type { Mailbox } from '../config.ts'
import { encodeWords, foldWords, needsEncoding, oneLine } from './mail-text.ts'

/**
 * Header fields as RFC 5322 writes them. Each function gives whole lines that end with CRLF, those for text
 * of any length in pieces, and no value can leave its field.
 */

/** A display name that is longer than this is encoded, so that it can be folded. */
const QUOTED_NAME = 60
/** Some programs write no `@`; with the field's name a line stays under 998 octets (RFC 5322, section 2.1.1). */
const MESSAGE_ID = /^<[!-;=?-~]{1,900}>$/
const SIMPLE_ADDRESS = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9.-]+$/

/** A field of text that people wrote: Subject. */
export function* textField(name: string, value: string): Generator<string> {
  const line = oneLine(value)
  if (line.length === 0) {
    yield `${name}:\r\n`
    return
  }
  const used = name.length + 2
  yield `${name}: `
  yield* needsEncoding(line) ? encodeWords(line, used) : foldWords(line, used)
  yield '\r\n'
}

/** A field of one mailbox: From, To, Reply-To (RFC 5322, section 3.4). */
export function* mailboxField(name: string, mailbox: Mailbox): Generator<string> {
  const address = plain(mailbox.address)
  const line = oneLine(mailbox.name)
  if (line.length === 0) {
    // In angle brackets a quoted local part is read as an address by every reader, bare it is not.
    yield `${name}: ${SIMPLE_ADDRESS.test(address) ? address : `<${address}>`}\r\n`
    return
  }
  yield `${name}: `
  if (needsEncoding(line) || line.length > QUOTED_NAME) yield* encodeWords(line, name.length + 2)
  else yield quotedString(line.toString('latin1'))
  yield `\r\n <${address}>\r\n`
}

/** A field whose value is ours and printable: Message-ID, Auto-Submitted. */
export function plainField(name: string, value: string): string {
  return `${name}: ${plain(value)}\r\n`
}

/** A field of Message-IDs, one a line: In-Reply-To, References (RFC 5322, section 3.6.4). */
export function* idsField(name: string, ids: string[]): Generator<string> {
  // Ids of others' mails are whatever they wrote; one that is none would end the field, or its line.
  const fair = ids.filter((id) => MESSAGE_ID.test(id))
  if (fair.length > 0) yield `${name}: ${fair.join('\r\n ')}\r\n`
}

/** RFC 5322, section 3.3, in UTC. */
export function dateField(date: Date): string {
  return `Date: ${date.toUTCString().replace('GMT', '+0000')}\r\n`
}

/** Printable ASCII between double quotes (RFC 5322, section 3.2.4). */
export function quotedString(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

/** Addresses and ids are printable ASCII by contract; whatever is not must at least not end the line. */
function plain(value: string): string {
  return value.replace(/[^\x20-\x7e]/g, '?')
}
