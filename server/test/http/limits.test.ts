import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBellhop, type TestBellhop, TICKET } from '../bellhop.ts'
import { headOf, openRaw, type RawConnection } from './raw-http.ts'

const TICKETS = '/v1/support/tickets'
const MIB = 1024 * 1024

let bellhop: TestBellhop
let authorization: string
beforeAll(async () => {
  bellhop = await startBellhop()
  authorization = `Bearer ${await bellhop.issuer.token()}`
})
afterAll(() => bellhop.stop())

/** Sends the piece over and over, as fast as it is taken. @returns how often it was, at most 200 times */
function pump({ socket }: RawConnection, piece: Buffer): () => number {
  let sent = 0
  const send = () => {
    if (socket.destroyed || sent === 200) return
    socket.write(piece, (error) => {
      if (error) return
      sent++
      send()
    })
  }
  send()
  return () => sent
}

const error = async (answer: ReturnType<TestBellhop['file']>) => {
  const { status, body } = await answer
  return [status, body.error]
}

describe('an attachment', () => {
  const ofBytes = (count: number) => ({
    filename: 'scan.bin',
    content_base64: Buffer.alloc(count, 'x').toString('base64'),
  })

  test('of 10 MiB is taken, with all its bytes', async () => {
    const filed = await bellhop.file({ attachment: ofBytes(10 * MIB) })
    expect(filed.status).toBe(201)
    const read = await bellhop.ask(`${TICKETS}/${filed.body.ticket_id}`)
    expect(read.body).toMatchObject({ messages: [{ attachments: [{ size: 10 * MIB }] }] })
  })

  test('of one byte more is not, wherever its length ends in a group of base64', async () => {
    for (const more of [1, 2, 3]) {
      expect(await error(bellhop.file({ attachment: ofBytes(10 * MIB + more) }))).toEqual([
        413,
        'payload_too_large',
      ])
    }
  })
})

describe('the text of a request', () => {
  const others = Object.values({ ...TICKET, body: '' }).join('').length

  test('of 2 MiB of UTF-8 is taken, and one byte more is not', async () => {
    const room = 2 * MIB - others
    // Three bytes each, which JSON and UTF-16 count otherwise.
    const body = '語'.repeat(Math.floor(room / 3)) + 'a'.repeat(room % 3)
    const filed = await bellhop.file({ body })
    expect(filed.status).toBe(201)
    const { messages } = (await bellhop.ask(`${TICKETS}/${filed.body.ticket_id}`)).body as {
      messages: { body: string }[]
    }
    expect(messages[0]?.body === body).toBe(true)
    expect(await error(bellhop.file({ body: `${body}a` }))).toEqual([413, 'payload_too_large'])
  })

  test("counts the attachment's name and type, and no unknown field", async () => {
    const file = { filename: 'a', content_base64: 'YQ==', content_type: 'text/plain' }
    const body = 'a'.repeat(2 * MIB - others - 11)
    expect((await bellhop.file({ body, attachment: file, note: 'x'.repeat(MIB) })).status).toBe(201)
    expect(await error(bellhop.file({ body, attachment: { ...file, filename: 'ab' } }))).toEqual([
      413,
      'payload_too_large',
    ])
  })

  test('is measured after decoding: escapes cost nothing more', async () => {
    const escaped = `{${Object.entries({ ...TICKET, body: '' }).map(([k, v]) => `"${k}":"${v}"`)}}`.replace(
      '"body":""',
      `"body":"${'\\u0061'.repeat(MIB)}"`,
    )
    const headers = { 'content-type': 'application/json' }
    expect((await bellhop.ask(TICKETS, { method: 'POST', headers, body: escaped })).status).toBe(201)
  })
})

test("the limits are the operator's to set", async () => {
  const small = await startBellhop({
    beside: bellhop,
    limits: { attachmentBytes: 2, textBytes: 200, requestBytes: 1000 },
  })
  const attachment = { filename: 'a', content_base64: 'YWI=' }
  expect((await small.file({ attachment })).status).toBe(201)
  const over = [
    { attachment: { filename: 'a', content_base64: 'YWJj' } },
    { body: 'a'.repeat(200) },
    { note: 'a'.repeat(1000) },
  ]
  for (const fields of over) expect(await error(small.file(fields))).toEqual([413, 'payload_too_large'])
  await small.stop()
})

describe('26 MiB on the wire', () => {
  const start = JSON.stringify(TICKET).slice(0, -1)
  /** A ticket of so many bytes, of which most are an unknown field that nobody counts. */
  const ofBytes = (count: number) => {
    const head = `${start},"note":"`
    return Buffer.concat([Buffer.from(head), Buffer.alloc(count - head.length - 2, 'n'), Buffer.from('"}')])
  }
  const post = (body: Buffer | ReadableStream, headers: Record<string, string> = {}) =>
    bellhop.ask(TICKETS, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
      duplex: 'half',
    } as RequestInit)
  const inChunks = (body: Buffer) =>
    new ReadableStream({
      start(controller) {
        for (let at = 0; at < body.length; at += MIB) controller.enqueue(body.subarray(at, at + MIB))
        controller.close()
      },
    })

  test('are taken, by length and in chunks', async () => {
    expect((await post(ofBytes(26 * MIB))).status).toBe(201)
    expect((await post(inChunks(ofBytes(26 * MIB)))).status).toBe(201)
  })

  test('and one byte more is not, by length and in chunks', async () => {
    const over = ofBytes(26 * MIB + 1)
    expect(await error(post(over))).toEqual([413, 'payload_too_large'])
    expect(await error(post(inChunks(over)))).toEqual([413, 'payload_too_large'])
  })

  test('an endless stream is refused while it still comes', async () => {
    const connection = await openRaw(bellhop.url)
    const headers = { authorization, 'content-type': 'application/json', 'transfer-encoding': 'chunked' }
    connection.write(headOf('POST', TICKETS, headers))
    const chunk = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(MIB, ' '), Buffer.from('\r\n')])
    const sent = pump(connection, chunk)
    const answer = await connection.answer()
    expect([answer.status, answer.body.error]).toEqual([413, 'payload_too_large'])
    await connection.closed
    expect(sent()).toBeLessThan(60)
  })
})

describe('who has no token makes the server read next to nothing', () => {
  test.each([
    ['a length', { 'content-length': 26 * MIB }],
    ['chunks', { 'transfer-encoding': 'chunked' }],
  ])('of a body announced by %s: the answer comes before it', async (_how, length) => {
    const connection = await openRaw(bellhop.url)
    connection.write(headOf('POST', TICKETS, { 'content-type': 'application/json', ...length }))
    const answer = await connection.answer()
    expect([answer.status, answer.body.error]).toEqual([401, 'unauthorized'])
    connection.socket.destroy()
  })

  test('and of one that it sends all the same: the server stops reading and hangs up', async () => {
    const connection = await openRaw(bellhop.url)
    connection.write(
      headOf('POST', TICKETS, { 'content-type': 'application/json', 'content-length': 26 * MIB }),
    )
    const sent = pump(connection, Buffer.alloc(MIB, ' '))
    expect((await connection.answer()).status).toBe(401)
    await connection.closed
    // What was sent beyond that lay in the system's buffers.
    expect(sent()).toBeLessThan(20)
  })

  test.each([
    ['no token', { authorization: 'Bearer x' }, 401, 'unauthorized'],
    ['another type', { 'content-type': 'text/plain' }, 415, 'unsupported_media_type'],
  ])(
    'a client that sends 20 MiB with %s before it listens finds its answer',
    async (_what, more, ...refusal) => {
      const headers = { 'content-type': 'application/json', authorization, ...more }
      const body = Buffer.alloc(20 * MIB, ' ')
      expect(await error(bellhop.ask(TICKETS, { method: 'POST', headers, body }))).toEqual(refusal)
    },
  )

  test('nor is the answer lost where the client meant to close', async () => {
    const connection = await openRaw(bellhop.url)
    const headers = { connection: 'close', 'content-type': 'application/json', 'content-length': 8 * MIB }
    connection.write(headOf('POST', TICKETS, headers))
    pump(connection, Buffer.alloc(MIB, ' '))
    expect((await connection.answer()).status).toBe(401)
    await connection.closed
    const small = await openRaw(bellhop.url)
    small.write(`${headOf('POST', TICKETS, { ...headers, 'content-length': 2 })}{}`)
    expect((await small.answer()).status).toBe(401)
    const started = performance.now()
    await small.closed
    // Those that are still sending are given two seconds.
    expect(performance.now() - started).toBeLessThan(1900)
  })

  test('a small body leaves the connection open for the next request', async () => {
    const connection = await openRaw(bellhop.url)
    for (let round = 0; round < 3; round++) {
      connection.write(`${headOf('POST', TICKETS, { 'content-length': 2 })}{}`)
      expect((await connection.answer()).status).toBe(401)
    }
    connection.socket.destroy()
  })
})
