import { parseConnectionUrl } from 'nodemailer/lib/shared'
import { attemptResult } from './attempt-result.ts'
import type { AttemptResult, Verdict } from './connector.ts'
import type { ComposedMail } from './mail-message.ts'
import { smtpOutcome } from './smtp-outcome.ts'
import { createSmtpPool } from './smtp-pool.ts'
import { openSmtpSession, type SmtpEnvelope, SmtpFault, type SmtpServer } from './smtp-session.ts'

export type SmtpTimeouts = {
  /** From the name look-up to the end of TLS, in milliseconds. */
  connect: number
  greeting: number
  /** For each answer, and for each piece of the message to be read. */
  answer: number
  /** For the whole attempt, whatever the server does; a server that drips its answers meets no other. */
  attempt: number
}

export const SMTP_TIMEOUTS: SmtpTimeouts = {
  connect: 10_000,
  greeting: 10_000,
  answer: 20_000,
  attempt: 50_000,
}

const POOL = { connections: 5, messages: 100, idle: 30_000 }

/** The longest reply that is read, in bytes. */
const REPLY_LIMIT = 64 * 1024

/** One mail server with its sessions, which mails are handed to one after another. */
export type SmtpSender = {
  /** One attempt, with an honest outcome; it ends when `signal` is aborted, or at its own deadline. */
  send(envelope: SmtpEnvelope, mail: ComposedMail, signal: AbortSignal): Promise<AttemptResult>
  /** Asks, without sending anything, whether it would take a message now. */
  verify(signal: AbortSignal): Promise<Verdict>
  close(): Promise<void>
}

/**
 * @param url as the brands file has it
 * @param setting where it stands there, for advice: `desk.url`, `mail.url`
 */
export function createSmtpSender(url: string, setting: string, timeouts: SmtpTimeouts): SmtpSender {
  const server = readServer(url, timeouts)
  const pool = createSmtpPool((signal) => openSmtpSession(server, signal), POOL)
  const limited = (signal: AbortSignal) => AbortSignal.any([signal, AbortSignal.timeout(timeouts.attempt)])

  async function attempt(
    envelope: SmtpEnvelope,
    mail: ComposedMail,
    signal: AbortSignal,
    fresh: boolean,
  ): Promise<AttemptResult> {
    let reused = false
    try {
      const answer = await pool.with(fresh, signal, (session) => {
        reused = session.carried > 0
        return session.send(envelope, mail, signal)
      })
      return attemptResult('delivered', `smtp_${/^2\d\d/.exec(answer)?.[0] ?? 250}`, { answer })
    } catch (error) {
      if (!(error instanceof SmtpFault)) throw error
      // Servers close idle sessions when they like. The message's end was not written, so a new session is
      // tried at once.
      if (reused && isStale(error)) return attempt(envelope, mail, signal, true)
      return smtpOutcome(error)
    }
  }

  return {
    async send(envelope, mail, signal) {
      if (!isSendable(envelope.to))
        return { ...attemptResult('permanent', 'address_unusable'), unasked: true }
      return attempt(envelope, mail, limited(signal), false)
    },
    async verify(signal) {
      try {
        const session = await openSmtpSession(server, limited(signal))
        await session.quit()
        return { ok: true, detail: 'the mail server answered and is ready for a message' }
      } catch (error) {
        if (!(error instanceof SmtpFault)) throw error
        const { code } = smtpOutcome(error)
        const advice = ADVICE[code] ?? 'look at the mail server, and at URL'
        return { ok: false, detail: `${code}: ${advice.replace('URL', setting)}` }
      }
    },
    close: () => pool.close(),
  }
}

/** In quotes an address may hold angle brackets (RFC 5321, section 4.1.2), which no envelope of nodemailer takes. */
function isSendable(address: string): boolean {
  return !/[\r\n<>]/.test(address)
}

/** What to do about the faults that an operator meets first; URL is the setting. */
const ADVICE: Record<string, string> = {
  protocol_error: 'what answers does not speak SMTP; check the port in URL',
  connection_refused: 'nothing listens there; check host and port in URL',
  connection_timeout: 'the host does not answer; check host and port in URL, and the firewall',
  greeting_timeout: 'the host does not greet; a port for TLS from the start needs smtps:// in URL',
  name_not_found: 'the host in URL is not known to the name service',
  tls_failed: 'the TLS connection failed; check the certificate, its name, and smtp:// or smtps:// in URL',
  authentication_failed: 'the mail server refused the credentials in URL',
}

function isStale(fault: SmtpFault): boolean {
  const reply = fault.reason?.responseCode
  const lost = ['ECONNECTION', 'ESOCKET', undefined].includes(fault.reason?.code)
  return fault.stage === 'before_end' && fault.stopped === null && (reply === 421 || (lost && !reply))
}

/**
 * The URL as nodemailer reads it: `smtps://` or `?requireTLS=true`, credentials, `?name=` for EHLO, and
 * `?tls.rejectUnauthorized=false` for a certificate that cannot be verified. Timeouts and logging are ours.
 */
function readServer(url: string, timeouts: SmtpTimeouts): SmtpServer {
  const { auth, ...options } = parseConnectionUrl(url)
  return {
    connection: {
      ...options,
      logger: false,
      debug: false,
      transactionLog: false,
      lmtp: false,
      dnsTimeout: timeouts.connect,
      connectionTimeout: timeouts.connect,
      greetingTimeout: timeouts.greeting,
      socketTimeout: timeouts.answer,
      socketCloseTimeout: 0,
      maxResponseSize: REPLY_LIMIT,
    },
    auth: auth?.user ? { user: auth.user, pass: auth.pass ?? '' } : null,
  }
}
