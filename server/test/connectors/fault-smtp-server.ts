import { once } from 'node:events'
import net from 'node:net'

/** Where in a session a fault strikes. `body` is in the middle of a large message, `dot` after its end. */
export type SmtpStage = 'banner' | 'ehlo' | 'starttls' | 'auth' | 'mail' | 'rcpt' | 'data' | 'body' | 'dot'

/** A reply other than the usual, or what a broken server does instead of one. */
export type SmtpFaultKind =
  | { reply: string; thenDrop?: boolean }
  | 'drop'
  | 'reset'
  | 'stall'
  | 'drip'
  | 'noise'

export type FaultSmtpServer = {
  port: number
  /** Lines of EHLO beside the name. */
  extensions: string[]
  faults: Map<SmtpStage, SmtpFaultKind>
  /** True: each fault strikes once, and what comes after is as usual. */
  once: boolean
  /** What arrived whole, whatever was answered. */
  messages: string[]
  commands: string[]
  connections: number
  /** Ends every connection that is open, as a server does with idle ones. */
  hangUp(): Promise<void>
  close(): Promise<void>
}

const USUAL: Record<Exclude<SmtpStage, 'ehlo'>, string> = {
  banner: '220 fault.example ready',
  starttls: '220 go ahead',
  auth: '235 welcome',
  mail: '250 sender ok',
  rcpt: '250 recipient ok',
  data: '354 go on',
  body: '',
  dot: '250 2.0.0 queued as 42',
}

/** A mail server that does exactly one thing wrong, on a real socket. */
export async function startFaultSmtpServer(): Promise<FaultSmtpServer> {
  const sockets = new Set<net.Socket>()
  const listener = net.createServer((socket) => serve(socket))
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const address = listener.address()
  if (address === null || typeof address === 'string') throw new Error('no port')

  const server: FaultSmtpServer = {
    port: address.port,
    extensions: [],
    faults: new Map(),
    once: false,
    messages: [],
    commands: [],
    connections: 0,
    async hangUp() {
      const open = [...sockets]
      for (const socket of open) socket.end()
      await Promise.all(open.map((socket) => (socket.closed ? null : once(socket, 'close'))))
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      listener.close()
      await once(listener, 'close')
    },
  }

  function serve(socket: net.Socket): void {
    server.connections += 1
    sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('error', () => {})
    let dead = false
    let inData = false
    let pending = ''
    let drip: NodeJS.Timeout | undefined
    socket.on('close', () => {
      clearInterval(drip)
      sockets.delete(socket)
    })

    /** Answers as usual or does what is wrong; false where the session is over. */
    function answer(stage: SmtpStage, usual: string): boolean {
      const fault = server.faults.get(stage)
      if (server.once) server.faults.delete(stage)
      if (fault === undefined) {
        if (usual !== '') socket.write(`${usual}\r\n`)
        return true
      }
      if (typeof fault === 'object') {
        socket.write(`${fault.reply}\r\n`)
        if (fault.thenDrop !== true) return true
        socket.end()
      } else if (fault === 'drop') socket.end()
      else if (fault === 'reset') socket.resetAndDestroy()
      else if (fault === 'noise')
        socket.write(`${usual}\r\n`, () => socket.once('data', () => socket.write('no TLS')))
      else if (fault === 'drip') drip = setInterval(() => socket.write('2'), 20)
      dead = true
      return false
    }

    socket.on('data', (chunk) => {
      if (dead) return
      pending += chunk.toString('latin1')
      while (!dead) {
        if (inData) {
          const end = pending.indexOf('\r\n.\r\n')
          if (end === -1) {
            if (pending.length > 2 && server.faults.has('body')) answer('body', '')
            return
          }
          // Empty: the client ends a message that has nobody to go to, as RFC 2920, section 3.1 has it.
          if (end > 0) server.messages.push(pending.slice(2, end + 2))
          pending = pending.slice(end + 5)
          inData = false
          answer('dot', USUAL.dot)
          continue
        }
        const end = pending.indexOf('\r\n')
        if (end === -1) return
        const line = pending.slice(0, end)
        pending = pending.slice(end + 2)
        server.commands.push(line)
        command(line.slice(0, 4).toUpperCase())
        // The line break before a message's first line counts for its end.
        if (inData) pending = `\r\n${pending}`
      }
    })

    function command(verb: string): void {
      if (verb === 'EHLO') {
        const lines = ['fault.example', ...server.extensions]
        answer('ehlo', lines.map((line, at) => `250${at + 1 < lines.length ? '-' : ' '}${line}`).join('\r\n'))
      } else if (verb === 'HELO') answer('ehlo', '250 fault.example')
      else if (verb === 'STAR') answer('starttls', USUAL.starttls)
      else if (verb === 'AUTH') answer('auth', USUAL.auth)
      else if (verb === 'MAIL') answer('mail', USUAL.mail)
      else if (verb === 'RCPT') answer('rcpt', USUAL.rcpt)
      else if (verb === 'DATA') inData = answer('data', USUAL.data) && !server.faults.has('data')
      else if (verb === 'QUIT') socket.end('221 bye\r\n')
      else socket.write('500 what?\r\n')
    }

    answer('banner', USUAL.banner)
  }

  return server
}
