import { once } from 'node:events'
import { SMTPServer } from 'smtp-server'
import type { Brand, SmtpDesk } from '../../src/config.ts'
import { brandOf } from '../bellhop.ts'
import type { TestIssuer } from '../http/tokens/test-issuer.ts'

export type MailDesk = {
  desk: SmtpDesk
  /** What arrived whole, as it went over the wire, whatever was answered. */
  mails: string[]
  /** SMTP codes, or whole answers, that the next recipients are refused with. */
  refuseRecipients: (number | string)[]
  /** SMTP codes that the next mails are refused with, once they have arrived whole. */
  refuseMails: number[]
  /** Answers to mails are kept back until the returned function is called. */
  hold(): () => void
  close(): Promise<void>
}

/** A mailbox on a real mail server, which takes what it is sent unless told otherwise. */
export async function startMailDesk(): Promise<MailDesk> {
  let held: Promise<void> = Promise.resolve()
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    onRcptTo(_address, _session, done) {
      done(refusal(mailDesk.refuseRecipients.shift()))
    },
    onData(stream, _session, done) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        mailDesk.mails.push(Buffer.concat(chunks).toString('latin1'))
        void held.then(() => done(refusal(mailDesk.refuseMails.shift()), 'kept as 42'))
      })
    },
  })
  server.on('error', () => {})
  const listener = server.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const address = listener.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const mailDesk: MailDesk = {
    desk: smtpDesk(address.port),
    mails: [],
    refuseRecipients: [],
    refuseMails: [],
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>()
      held = promise
      return () => {
        held = Promise.resolve()
        resolve()
      }
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
  return mailDesk
}

/** The mailbox of a helpdesk behind a mail server on this port. */
export function smtpDesk(port: number): SmtpDesk {
  return {
    connector: 'smtp',
    url: `smtp://127.0.0.1:${port}`,
    from: { name: 'Acme Support', address: 'support@acme.example' },
    to: { name: '', address: 'helpdesk@acme.example' },
    conversation: 'direct',
    agents: [],
  }
}

export function mailBrand(
  id: string,
  issuer: TestIssuer,
  { desk }: Pick<MailDesk, 'desk'>,
  wait = 2000,
): Brand {
  return brandOf(id, issuer, { desk, wait })
}

/** The mails' Message-IDs as they were sent. */
export function messageIds(mails: string[]): string[] {
  return mails.map((mail) => /^Message-ID: *(\S+)\r?$/im.exec(mail)?.[1] ?? 'none')
}

function refusal(answer: number | string | undefined): Error | null {
  if (answer === undefined) return null
  if (typeof answer === 'string')
    return Object.assign(new Error(answer.slice(4)), { responseCode: Number(answer.slice(0, 3)) })
  return Object.assign(new Error(`not now, says ${CANARY}`), { responseCode: answer })
}

/** What a desk says is kept with the attempt and is in no log. */
export const CANARY = 'canary-of-the-desk'
