import type { Socket } from 'node:net'
import { type SecureContext, TLSSocket } from 'node:tls'
import { type Mail, MailInflow } from './mail-inflow.ts'
import type { Turn } from './plan.ts'
import { OPENING, type Stage, type Way } from './ways.ts'

/** What a session asks of its desk and tells it. */
export type SessionDesk = {
  /** Null: no STARTTLS is offered. */
  tls: { right: SecureContext; wrong: SecureContext } | null
  /** True: a session carries one message, so that each attempt opens its own. */
  oneMessage: boolean
  /** What meets the attempt that begins; undefined where the plan is over. */
  next(): Turn | undefined
  /** The attempt did not come so far that it could be met. */
  giveBack(turn: Turn): void
  struck(way: Way, reused: boolean): void
  /** A message has come whole and was not refused: the desk has it, whatever is answered. */
  took(mail: Mail): void
}

/** A message over this many bytes is struck in its middle. */
export const LARGE = 1024 * 1024
/** How much of it is read before. */
const STRUCK_AFTER = 64 * 1024
/** Milliseconds from byte to byte of who is slow, far less than any limit for one answer. */
const DRIP_MS = 1000
/** Milliseconds from piece to piece (64 KiB) of who reads slowly: too slow for a large message in one attempt. */
const READ_MS = 400
/** Milliseconds until a session is closed for good that was ended and that the other side keeps open. */
const LINGER_MS = 2000

const USUAL: Record<Stage, string> = {
  banner: '220 desk.example ready',
  ehlo: '',
  starttls: '220 go ahead',
  mail: '250 sender ok',
  rcpt: '250 recipient ok',
  data: '354 go on',
  body: '',
  dot: '250 2.0.0 kept',
}

/** Serves one SMTP session (RFC 5321), in which an attempt meets what its turn says. */
export function serveSession(raw: Socket, desk: SessionDesk): void {
  let socket = raw
  let pending: Buffer = Buffer.alloc(0)
  let inflow: MailInflow | null = null
  let carried = 0
  let isSecure = false
  /** It does not answer any more, or does not hear. */
  let isOver = false
  let turn: Turn | undefined = desk.next()
  let way: Way | null = turn && OPENING.has(turn.opening.stage) ? turn.opening : null
  let drip: NodeJS.Timeout | undefined

  raw.setNoDelay(true)
  raw.on('close', () => {
    clearInterval(drip)
    if (turn !== undefined) desk.giveBack(turn)
    turn = undefined
  })
  hear(raw)
  answer('banner')

  function hear(stream: Socket): void {
    stream.on('error', () => {})
    stream.on('data', onData)
  }

  function onData(chunk: Buffer): void {
    if (isOver) return
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    while (!isOver && pending.length > 0) {
      if (inflow === null) {
        const end = pending.indexOf('\r\n')
        if (end < 0) return
        const line = pending.toString('latin1', 0, end).toUpperCase()
        pending = pending.subarray(end + 2)
        command(line.slice(0, 4), line)
        continue
      }
      const rest = inflow.push(pending)
      pending = rest ?? Buffer.alloc(0)
      if (rest !== null) {
        const mail = inflow.mail()
        inflow = null
        end(mail)
      } else if (inflow.bytes > STRUCK_AFTER && way?.stage === 'body') strike(way)
    }
  }

  function command(verb: string, line: string): void {
    if (verb === 'EHLO') {
      const extensions = ['desk.example', '8BITMIME', 'SIZE 52428800']
      if (desk.tls !== null && !isSecure) extensions.push('STARTTLS')
      const last = extensions.length - 1
      answer('ehlo', extensions.map((word, at) => `250${at < last ? '-' : ' '}${word}`).join('\r\n'))
    } else if (verb === 'STAR') {
      if (answer('starttls') && desk.tls !== null) secure(desk.tls.right)
    } else if (verb === 'MAIL') {
      begin(Number(/\bSIZE=(\d+)/.exec(line)?.[1] ?? 0) > LARGE)
      answer('mail')
    } else if (verb === 'RCPT') answer('rcpt')
    else if (verb === 'DATA') {
      if (answer('data')) inflow = new MailInflow()
    } else if (verb === 'QUIT') socket.end('221 bye\r\n')
    else socket.write('502 no such command\r\n')
  }

  /** An attempt begins on this session; its turn was taken already where it opened the session. */
  function begin(isLarge: boolean): void {
    const reused = carried > 0
    if (reused) turn = desk.next()
    if (turn) way = isLarge ? turn.large : reused ? turn.reused : turn.opening
    // Nothing meets it, and it has had its turn.
    if (turn === null) turn = undefined
  }

  function end(mail: Mail): void {
    const isRefused = way?.stage === 'dot' && typeof way.act === 'object'
    if (!isRefused) desk.took(mail)
    if (!answer('dot')) return
    carried++
    if (desk.oneMessage) socket.end()
  }

  /** Answers as usual, or strikes. @returns whether it was as usual */
  function answer(stage: Stage, usual = USUAL[stage]): boolean {
    if (way?.stage === stage) {
      strike(way)
      return false
    }
    socket.write(`${usual}\r\n`)
    return true
  }

  function strike(struck: Way): void {
    const { act, stage } = struck
    desk.struck(struck, carried > 0)
    turn = undefined
    way = null
    if (typeof act === 'object') {
      socket.write(`${act.reply}\r\n`)
      return
    }
    if (act === 'wrong certificate') {
      socket.write(`${USUAL.starttls}\r\n`)
      if (desk.tls !== null) secure(desk.tls.wrong)
      return
    }
    isOver = true
    if (act === 'reset') raw.resetAndDestroy()
    else if (act === 'noise') {
      socket.write(`${USUAL.starttls}\r\n`, () => raw.once('data', () => raw.write('no TLS')))
    } else if (act === 'drop') {
      socket.end()
      // Else the rest would be read before the other side has heard of it.
      if (stage === 'body') raw.pause()
      setTimeout(() => raw.destroy(), LINGER_MS).unref()
    } else if (stage === 'body') readSlowly(act === 'drip')
    else if (act === 'drip') drip = setInterval(() => socket.write('2'), DRIP_MS)
  }

  /** Of a message of which the rest is not wanted: nothing is read any more, or a piece now and then. */
  function readSlowly(aPieceNowAndThen: boolean): void {
    raw.pause()
    if (aPieceNowAndThen) {
      raw.on('data', () => raw.pause())
      drip = setInterval(() => raw.resume(), READ_MS)
    }
    // A paused socket does not hear that the other side has gone, and would stay.
    const giveUp = setTimeout(() => raw.destroy(), 60_000)
    raw.on('close', () => clearTimeout(giveUp))
  }

  function secure(secureContext: SecureContext): void {
    raw.removeListener('data', onData)
    pending = Buffer.alloc(0)
    isSecure = true
    socket = new TLSSocket(raw, { isServer: true, secureContext })
    hear(socket)
  }
}
