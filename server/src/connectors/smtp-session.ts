import { Readable } from 'node:stream'
import type { NodemailerError } from 'nodemailer/lib/errors'
import SMTPConnection, { type SMTPConnectionOptions, type SMTPEnvelope } from 'nodemailer/lib/smtp-connection'
import { inTurns } from './in-turns.ts'
import type { ComposedMail } from './mail-message.ts'

/**
 * One connection to a mail server, from the greeting to QUIT. The protocol is nodemailer's; kept here is how
 * far a message had come when something failed, which is what decides whether it may have been taken.
 */

export type SmtpServer = {
  connection: SMTPConnectionOptions
  auth: { user: string; pass: string } | null
}

export type SmtpEnvelope = { from: string; to: string }

/** Why a session could not be opened, or a message not be handed over. */
export class SmtpFault extends Error {
  override readonly name = 'SmtpFault'
  /** How far it came: no message was offered; its end was not written; its end may have been read. */
  readonly stage: 'opening' | 'before_end' | 'after_end'
  /** As nodemailer reports it; null where we broke off. */
  readonly reason: NodemailerError | null
  /** Who broke off, where we did. */
  readonly stopped: 'aborted' | 'attempt_timeout' | null

  constructor(
    stage: SmtpFault['stage'],
    reason: NodemailerError | null,
    stopped: SmtpFault['stopped'] = null,
  ) {
    // The library's message holds what the server said; it is kept with the attempt and not here.
    super('the mail server did not take the message')
    this.stage = stage
    this.reason = reason
    this.stopped = stopped
  }
}

export type SmtpSession = {
  /** False once either side has closed. */
  readonly usable: boolean
  /** How many messages it has carried. */
  readonly carried: number
  /** Hands one message over and gives the server's answer to its end; throws {@link SmtpFault}. */
  send(envelope: SmtpEnvelope, mail: ComposedMail, signal: AbortSignal): Promise<string>
  /** QUIT, with at most a second for the answer. */
  quit(): Promise<void>
  destroy(): void
}

/** How long a server may take to say goodbye, in milliseconds. */
const GOODBYE = 1000

/**
 * Connects, greets, upgrades to TLS and authenticates as the server's settings say.
 * @throws {SmtpFault} whose stage is `opening`
 */
export async function openSmtpSession(server: SmtpServer, signal: AbortSignal): Promise<SmtpSession> {
  const connection = new SMTPConnection(server.connection)
  let stage: SmtpFault['stage'] = 'opening'
  let carried = 0
  let ended = false
  connection.on('error', () => {})
  connection.once('end', () => {
    ended = true
  })

  async function step<T>(abort: AbortSignal, start: (done: (error: unknown, value?: T) => void) => void) {
    const { promise, resolve, reject } = Promise.withResolvers<T | undefined>()
    const fail = (error: unknown) => reject(new SmtpFault(stage, error instanceof Error ? error : null))
    // Where the library ends a session it may still be about to say why, in the same turn.
    const onEnd = () => setImmediate(fail, new Error('the connection ended'))
    const onAbort = () => {
      reject(new SmtpFault(stage, null, stoppedBy(abort)))
      connection.close()
    }
    connection.once('error', fail)
    connection.once('end', onEnd)
    abort.addEventListener('abort', onAbort, { once: true })
    try {
      if (abort.aborted) onAbort()
      else if (ended) onEnd()
      else start((error, value) => (error ? fail(error) : resolve(value)))
      return await promise
    } catch (error) {
      connection.close()
      throw error
    } finally {
      connection.off('error', fail)
      connection.off('end', onEnd)
      abort.removeEventListener('abort', onAbort)
    }
  }

  await step(signal, (done) => connection.connect(done))
  const { auth } = server
  if (auth !== null && connection.allowsAuth) {
    await step(signal, (done) => connection.login({ credentials: auth }, done))
  }

  return {
    get usable() {
      return !ended
    },
    get carried() {
      return carried
    },
    async send(envelope, mail, abort) {
      stage = 'before_end'
      // Its end is written only after the last piece was asked for; until then the server cannot have it.
      const onLastPiece = () => {
        stage = 'after_end'
      }
      const message = Readable.from(watched(mail.pieces(), onLastPiece), { objectMode: false })
      const tracked: TrackedEnvelope = { ...envelope, size: mail.size }
      try {
        const info = await step<{ response: string }>(abort, (done) =>
          connection.send(tracked, message, done),
        )
        if (stage === 'before_end') throw new SmtpFault(stage, EARLY)
        carried += 1
        return info?.response ?? ''
      } catch (error) {
        throw refusalBeforeBreak(error, tracked) ?? error
      }
    },
    async quit() {
      if (ended) return
      const goodbye = Promise.withResolvers<void>()
      const timer = setTimeout(() => connection.close(), GOODBYE)
      connection.once('end', goodbye.resolve)
      connection.quit()
      await goodbye.promise
      clearTimeout(timer)
    },
    destroy: () => connection.close(),
  }
}

/** The envelope as nodemailer keeps book on it while a message is sent. */
type TrackedEnvelope = SMTPEnvelope & { mailError?: NodemailerError; rejectedErrors?: NodemailerError[] }

/**
 * With PIPELINING (RFC 2920) a refused MAIL or RCPT is reported only with the answer to DATA. A server that
 * refuses and then hangs up has refused all the same.
 */
function refusalBeforeBreak(error: unknown, envelope: TrackedEnvelope): SmtpFault | null {
  if (!(error instanceof SmtpFault) || error.stage !== 'before_end' || error.stopped !== null) return null
  const refusal = envelope.mailError ?? envelope.rejectedErrors?.[0]
  return refusal === undefined ? null : new SmtpFault('before_end', refusal)
}

/** Why a signal was aborted: by a deadline, or by whoever asked. */
export function stoppedBy(signal: AbortSignal): 'aborted' | 'attempt_timeout' {
  const deadline = signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError'
  return deadline ? 'attempt_timeout' : 'aborted'
}

/** A server that thanks for a message that it has not seen the end of. */
const EARLY: NodemailerError = Object.assign(new Error('accepted before the end'), { code: 'EPROTOCOL' })

async function* watched(pieces: Iterable<Buffer>, onLastPiece: () => void): AsyncGenerator<Buffer> {
  yield* inTurns(pieces)
  onLastPiece()
}
