/** A request that the fuzz made, and what it knows of the answer. */
export type Case = {
  /** What was done to it, for who reads of a failure. */
  what: string
  /** The operation in the document that it asks for; null where it asks for none. */
  operation: string | null
  method: string
  target: string
  /** In their order; a value is sent byte by byte (latin1). */
  headers: [name: string, value: string][]
  body: Buffer | null
  /** The only statuses that are right; null: any that the document has for the operation. */
  expect: number[] | null
  /** Error codes of a refusal; null: any that the document has for the status. */
  codes?: string[]
  /**
   * What follows a ticket that was accepted: it is read by its owner, or by a stranger, or the same request
   * comes again, as it is or with another body; or more is said on it.
   */
  then?: 'owner reads' | 'stranger reads' | 'again' | 'again with another body' | 'goes on'
  /** Whose token reads it then. */
  reader?: string
  /** Who has nothing to do with it. */
  stranger?: string
  /** What the owner says then. */
  more?: { body: string; attachments?: object[] } | undefined
  /** What the owner reads. */
  sent?: { subject: string; body: string }
  /** Chunked, instead of with its length. */
  chunked?: boolean
  /** Sent as it is on a connection of its own. */
  raw?: Buffer
  /** How many answers to wait for behind it; 0 where it is not whole. */
  wanted?: 0 | 1 | 2
  /** True: all of them must come, unless one of them says that it is the last on its connection. */
  owed?: boolean
}

/** The bytes of a request, whose length is right unless a header says another. */
export function bytesOf(one: Case): Buffer {
  if (one.raw !== undefined) return one.raw
  const named = new Set(one.headers.map(([name]) => name.toLowerCase()))
  const lines = one.headers.map(([name, value]) => `${name}: ${value}\r\n`)
  if (!named.has('host')) lines.unshift('Host: 127.0.0.1\r\n')
  const pieces: Buffer[] = []
  if (one.body !== null && one.chunked === true) {
    lines.push('Transfer-Encoding: chunked\r\n')
    if (one.body.length > 0) pieces.push(Buffer.from(`${one.body.length.toString(16)}\r\n`), one.body, LINE)
    pieces.push(Buffer.from('0\r\n\r\n'))
  } else if (one.body !== null) {
    if (!named.has('content-length')) lines.push(`Content-Length: ${one.body.length}\r\n`)
    pieces.push(one.body)
  }
  const head = `${one.method} ${one.target} HTTP/1.1\r\n${lines.join('')}\r\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), ...pieces])
}

/** Bytes of a request that a failure shows. */
const SHOWN = 1500
const LINE = Buffer.from('\r\n')

/** A case as a failure shows it; what it says is its own, and harms nobody. */
export function describeCase(one: Case): string {
  const bytes = bytesOf(one)
  const shown = bytes.subarray(0, SHOWN).toString('latin1')
  return `${one.what}, ${bytes.length} bytes: ${JSON.stringify(shown)}${bytes.length > SHOWN ? '…' : ''}`
}
