import { parseConnectionUrl } from 'nodemailer/lib/shared'
import type { SmtpDesk } from '../config.ts'
import { attemptResult } from './attempt-result.ts'
import type { AttemptResult, Connector, OutgoingMessage, Verdict } from './connector.ts'
import { type ComposedMail, composeMail } from './mail-message.ts'
import { smtpOutcome } from './smtp-outcome.ts'
import { createSmtpPool } from './smtp-pool.ts'
import { openSmtpSession, SmtpFault, type SmtpServer } from './smtp-session.ts'

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

/** A mailbox elsewhere, reached by SMTP (RFC 5321). */
export function createSmtpConnector(desk: SmtpDesk, timeouts: SmtpTimeouts = SMTP_TIMEOUTS): Connector {
  const server = readServer(desk.url, timeouts)
  const envelope = { from: desk.from.address, to: desk.to.address }
  const pool = createSmtpPool((signal) => openSmtpSession(server, signal), POOL)

  async function attempt(mail: ComposedMail, signal: AbortSignal, fresh: boolean): Promise<AttemptResult> {
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
      if (reused && isStale(error)) return attempt(mail, signal, true)
      return smtpOutcome(error)
    }
  }

  return {
    name: 'smtp',
    atCommit: false,
    async send(message, signal) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(timeouts.attempt)])
      return attempt(await compose(desk, message), limit, false)
    },
    async verify(signal): Promise<Verdict> {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(timeouts.attempt)])
      try {
        const session = await openSmtpSession(server, limit)
        await session.quit()
        return { ok: true, detail: 'the mail server answered and is ready for a message' }
      } catch (error) {
        if (!(error instanceof SmtpFault)) throw error
        const { code } = smtpOutcome(error)
        return { ok: false, detail: `${code}: ${ADVICE[code] ?? 'look at the mail server, and at desk.url'}` }
      }
    },
    close: () => pool.close(),
  }
}

/** What to do about the faults that an operator meets first. */
const ADVICE: Record<string, string> = {
  protocol_error: 'what answers does not speak SMTP; check the port in desk.url',
  connection_refused: 'nothing listens there; check host and port in desk.url',
  connection_timeout: 'the host does not answer; check host and port in desk.url, and the firewall',
  greeting_timeout: 'the host does not greet; a port for TLS from the start needs smtps:// in desk.url',
  name_not_found: 'the host in desk.url is not known to the name service',
  tls_failed:
    'the TLS connection failed; check the certificate, its name, and smtp:// or smtps:// in desk.url',
  authentication_failed: 'the mail server refused the credentials in desk.url',
}

function isStale(fault: SmtpFault): boolean {
  const reply = fault.reason?.responseCode
  const lost = ['ECONNECTION', 'ESOCKET', undefined].includes(fault.reason?.code)
  return fault.stage === 'before_end' && fault.stopped === null && (reply === 421 || (lost && !reply))
}

async function compose(desk: SmtpDesk, message: OutgoingMessage): Promise<ComposedMail> {
  const attachments = await Promise.all(
    message.attachments.map(async ({ filename, contentType, read }) => ({
      filename,
      contentType,
      content: await read(),
    })),
  )
  const domain = desk.from.address.slice(desk.from.address.lastIndexOf('@') + 1)
  return composeMail({
    from: desk.from,
    to: desk.to,
    replyTo: { name: message.requester.name ?? '', address: message.requester.email },
    subject: message.subject,
    body: message.body,
    messageId: message.mailMessageId ?? `<${message.messageId}@${domain}>`,
    ticketId: message.ticketId,
    date: message.createdAt,
    attachments,
  })
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
