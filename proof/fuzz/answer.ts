/** An answer as it came over the wire. */
export type Answer = {
  status: number
  /** Lower-case names; of equal ones the last. */
  headers: Map<string, string>
  /** All of its head, as it came. */
  head: string
  text: string
  /** Whether the connection ends with it. */
  last: boolean
}

export type Reading = { answer: Answer; length: number }

/**
 * The first answer in what was received, or null where it is not whole yet. Interim answers are passed over.
 * @param head whether HEAD was asked, whose answer has no body
 * @throws Error where it is no HTTP (RFC 9112), or its end cannot be known
 */
export function readAnswer(received: Buffer, head: boolean): Reading | null {
  let start = 0
  for (;;) {
    const end = received.indexOf('\r\n\r\n', start)
    if (end < 0) {
      if (received.length - start > 64 * 1024) throw new Error('the head of an answer has no end')
      return null
    }
    const text = received.toString('latin1', start, end)
    const [line = '', ...lines] = text.split('\r\n')
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(line)?.[1])
    if (!(status >= 100)) throw new Error('what the server sent is no HTTP answer')
    if (status < 200 && status !== 101) {
      start = end + 4
      continue
    }
    const headers = new Map(lines.map((each) => splitHeader(each)))
    const length = bodyLength(status, headers, head)
    if (received.length < end + 4 + length) return null
    const body = received.toString('utf8', end + 4, end + 4 + length)
    const last = headers.get('connection')?.toLowerCase() === 'close'
    return { answer: { status, headers, head: text, text: body, last }, length: end + 4 + length }
  }
}

function splitHeader(line: string): [string, string] {
  const colon = line.indexOf(':')
  if (colon < 1) throw new Error('an answer has a header without a name')
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
}

function bodyLength(status: number, headers: Map<string, string>, head: boolean): number {
  if (head || status === 204 || status === 304) return 0
  const length = headers.get('content-length')
  if (length === undefined || !/^\d+$/.test(length)) throw new Error('an answer does not say how long it is')
  return Number(length)
}
