/**
 * A mail server (RFC 5321, with PIPELINING, RFC 2920) in a process of its own that takes every mail at once,
 * looks at none, and keeps the time at which each had come whole.
 */
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { serveAsPeer } from './peer.ts'

/** `forget` begins to count anew; `times` tells the milliseconds at which mails came. */
export type SinkQuestion = 'forget' | 'count' | 'times'

const GREETING = '220 sink.example ready\r\n'
const EHLO = '250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 52428800\r\n'
const OK = '250 2.0.0 ok\r\n'
const GO_ON = '354 go on\r\n'
const BYE = '221 2.0.0 bye\r\n'
const END = '\r\n.\r\n'

async function startSink() {
  let times: number[] = []

  function serve(socket: Socket): void {
    socket.setNoDelay(true)
    socket.setEncoding('latin1')
    socket.on('error', () => {})
    socket.write(GREETING)
    let pending = ''
    let inData = false
    socket.on('data', (chunk: string) => {
      pending += chunk
      let answers = ''
      for (;;) {
        const end = inData ? pending.indexOf(END) : pending.indexOf('\r\n')
        if (end < 0) break
        const line = pending.slice(0, end)
        // The line break that ends a command also begins an empty message's end.
        pending = pending.slice(end + (inData ? END.length : 2))
        if (inData) times.push(performance.now())
        answers += inData ? OK : answerTo(line.slice(0, 4).toUpperCase())
        inData = !inData && line.toUpperCase() === 'DATA'
      }
      socket.write(answers)
      if (answers.endsWith(BYE)) socket.end()
    })
  }

  const server = createServer(serve)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the sink has no port')
  return {
    ready: { port: address.port },
    async answer(question: SinkQuestion): Promise<number[]> {
      if (question === 'forget') times = []
      return question === 'count' ? [times.length] : times
    },
  }
}

function answerTo(verb: string): string {
  if (verb === 'EHLO' || verb === 'HELO') return EHLO
  if (verb === 'DATA') return GO_ON
  return verb === 'QUIT' ? BYE : OK
}

serveAsPeer(startSink)
