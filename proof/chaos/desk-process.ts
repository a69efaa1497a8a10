import { createHash } from 'node:crypto'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import type { DeskReport } from './desk.ts'

/**
 * The desks as a process of their own, which no kill reaches: a mail server that takes everything, and a
 * webhook that does. Of each message they keep a digest, and not its bytes. Asked by its parent it tells what came.
 */

/** What is kept of a message: whose ticket, the digest of what came first, how often, and whether all were alike. */
type Received = { ticket: string; digest: string; times: number; alike: boolean }

const mails = new Map<string, Received>()
const calls = new Map<string, Received>()
const END = Buffer.from('\r\n.\r\n')

function receive(kept: Map<string, Received>, id: string, ticket: string, bytes: Buffer | string): void {
  const digest = createHash('sha256').update(bytes).digest('base64')
  const known = kept.get(id)
  if (known === undefined) kept.set(id, { ticket, digest, times: 1, alike: true })
  else {
    known.times++
    known.alike &&= known.digest === digest && known.ticket === ticket
  }
}

/** @param mail as it went over the wire, without the end */
function receiveMail(mail: Buffer): void {
  const head = mail.toString('latin1', 0, Math.max(0, mail.indexOf('\r\n\r\n')))
  const ticket = /^X-Bellhop-Ticket: *(\S+)\r?$/im.exec(head)?.[1] ?? 'none'
  const id = /^Message-ID: *(\S+)\r?$/im.exec(head)?.[1] ?? 'none'
  receive(mails, id, ticket, mail)
}

/** One SMTP session (RFC 5321); pipelined commands are taken too. */
function serveMail(socket: Socket): void {
  socket.setNoDelay(true)
  socket.on('error', () => {})
  let pending: Buffer = Buffer.alloc(0)
  let inData = false
  socket.write('220 desk.example ready\r\n')
  socket.on('data', (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    for (;;) {
      if (inData) {
        const end = pending.indexOf(END)
        if (end < 0) return
        receiveMail(pending.subarray(0, end))
        pending = pending.subarray(end + END.length)
        inData = false
        socket.write('250 2.0.0 kept\r\n')
        continue
      }
      const end = pending.indexOf('\r\n')
      if (end < 0) return
      const verb = pending.toString('latin1', 0, Math.min(end, 4)).toUpperCase()
      pending = pending.subarray(end + 2)
      if (verb === 'DATA') {
        inData = true
        socket.write('354 go on\r\n')
      } else if (verb === 'QUIT') socket.end('221 bye\r\n')
      else if (verb === 'EHLO') socket.write('250-desk.example\r\n250 8BITMIME\r\n')
      else socket.write('250 ok\r\n')
    }
  })
}

const webhook = createHttpServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('error', () => {})
  request.on('end', () => {
    const bytes = Buffer.concat(chunks)
    const { data } = JSON.parse(bytes.toString()) as { data: { ticket_id: string } }
    receive(calls, String(request.headers['webhook-id']), data.ticket_id, bytes)
    response.writeHead(204).end()
  })
})
webhook.keepAliveTimeout = 60_000

function report(): DeskReport {
  const all = [...mails, ...calls]
  return {
    received: all.map(([id, { ticket }]) => [ticket, id]),
    doubles: all.reduce((sum, [, { times }]) => sum + times - 1, 0),
    differing: all.filter(([, { alike }]) => !alike).map(([id]) => id),
  }
}

async function listen(server: Server): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, resolve)
  await promise
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

const mail = createServer(serveMail)
process.on('message', (question) => {
  if (question === 'report') process.send?.({ report: report() })
  if (question === 'count') process.send?.({ count: mails.size + calls.size })
})
// Whoever asks has gone.
process.on('disconnect', () => process.exit())
// Ctrl-C reaches every process of the terminal; this one ends when it is told, last of all.
process.on('SIGINT', () => {})
process.send?.({ ports: [await listen(mail), await listen(webhook)] })
