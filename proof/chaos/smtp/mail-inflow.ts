import { createHash } from 'node:crypto'

const END = Buffer.from('\r\n.\r\n')
/** Where the headers that are looked at stand, in bytes. */
const HEAD = 16 * 1024

export type Mail = { ticketId: string; messageId: string; digest: string }

/** A message as it comes in after DATA (RFC 5321, section 4.1.1.4), of which only its digest is kept. */
export class MailInflow {
  readonly #digest = createHash('sha256')
  #head: Buffer = Buffer.alloc(0)
  /** The end may be divided over two pieces. The line break before the first line counts for it. */
  #last: Buffer = Buffer.from('\r\n')
  bytes = 0

  /** @returns what follows the message's end, or null where that has not come yet */
  push(chunk: Buffer): Buffer | null {
    const text = Buffer.concat([this.#last, chunk])
    this.bytes += chunk.length
    const end = text.indexOf(END)
    const kept = end < 0 ? Math.max(0, text.length - END.length + 1) : end
    const whole = text.subarray(0, kept)
    this.#digest.update(whole)
    if (this.#head.length < HEAD) this.#head = Buffer.concat([this.#head, whole])
    this.#last = text.subarray(kept)
    return end < 0 ? null : text.subarray(end + END.length)
  }

  /** The message, once its end has come. */
  mail(): Mail {
    const head = this.#head.toString('latin1').split('\r\n\r\n', 1)[0] ?? ''
    return {
      ticketId: /^X-Bellhop-Ticket: *(\S+)\r?$/im.exec(head)?.[1] ?? 'none',
      messageId: /^Message-ID: *(\S+)\r?$/im.exec(head)?.[1] ?? 'none',
      digest: this.#digest.digest('base64'),
    }
  }
}
