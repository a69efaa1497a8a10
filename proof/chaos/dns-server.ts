import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'

/** `silent`: no answer comes; `failing`: SERVFAIL; `well`: what it knows, and else that there is no such name. */
export type DnsMood = 'well' | 'silent' | 'failing'

/** A DNS server of the row's own on loopback, which knows TXT records and nothing else (RFC 1035). */
export class DnsServer {
  mood: DnsMood = 'well'
  readonly port: number
  readonly #socket: Socket
  readonly #records: Record<string, string>

  private constructor(socket: Socket, records: Record<string, string>) {
    this.#socket = socket
    this.#records = records
    this.port = socket.address().port
    socket.on('message', (question, { port, address }) => {
      const answer = this.#answer(question)
      if (answer !== null) socket.send(answer, port, address)
    })
  }

  static async start(records: Record<string, string>): Promise<DnsServer> {
    const socket = createSocket('udp4')
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    return new DnsServer(socket, records)
  }

  close(): void {
    this.#socket.close()
  }

  #answer(question: Buffer): Buffer | null {
    if (this.mood === 'silent' || question.length < 17) return null
    const { name, end } = nameIn(question)
    const asked = question.subarray(12, end + 4)
    const isTxt = question.readUInt16BE(end) === 16
    const record = this.mood === 'well' && isTxt ? this.#records[name] : undefined
    // An answer, with recursion; 2: the server failed, 3: there is no such name.
    const code = this.mood === 'failing' ? 2 : record === undefined ? 3 : 0
    const head = Buffer.alloc(12)
    head.writeUInt16BE(question.readUInt16BE(0), 0)
    head.writeUInt16BE(0x8180 | code, 2)
    head.writeUInt16BE(1, 4)
    head.writeUInt16BE(record === undefined ? 0 : 1, 6)
    return Buffer.concat([head, asked, ...(record === undefined ? [] : [txt(record)])])
  }
}

function nameIn(question: Buffer): { name: string; end: number } {
  const labels: string[] = []
  let at = 12
  for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
    labels.push(question.toString('latin1', at + 1, at + 1 + length))
    at += length + 1
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 }
}

/** One TXT record of the name that was asked for, in strings of at most 255 bytes. */
function txt(text: string): Buffer {
  const strings = (text.match(/.{1,255}/gs) ?? []).map((one) =>
    Buffer.concat([Buffer.of(one.length), Buffer.from(one, 'latin1')]),
  )
  const data = Buffer.concat(strings)
  const head = Buffer.alloc(12)
  head.writeUInt16BE(0xc00c, 0)
  head.writeUInt16BE(16, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(60, 6)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}
