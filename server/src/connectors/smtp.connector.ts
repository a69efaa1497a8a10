import type { BrandReply, SmtpDesk } from '../config.ts'
import type { Connector } from './connector.ts'
import { deskMail } from './desk-mail.ts'
import { composeMail } from './mail-message.ts'
import { createSmtpSender, SMTP_TIMEOUTS, type SmtpTimeouts } from './smtp-sender.ts'

export { SMTP_TIMEOUTS, type SmtpTimeouts } from './smtp-sender.ts'

/**
 * A mailbox elsewhere, reached by SMTP (RFC 5321).
 * @param reply how the brand's answers come back; used where the desk's conversation goes through us
 */
export function createSmtpConnector(
  desk: SmtpDesk,
  timeouts: SmtpTimeouts = SMTP_TIMEOUTS,
  reply: BrandReply | null = null,
): Connector {
  const sender = createSmtpSender(desk.url, 'desk.url', timeouts)
  return {
    name: 'smtp',
    atCommit: false,
    async send(message, signal) {
      // What is told an agent goes to the agent, and nobody is told of it by an automatic answer (RFC 3834).
      const returned = message.kind === 'returned'
      const envelope = returned
        ? { from: '', to: message.recipient ?? desk.to.address }
        : { from: desk.from.address, to: desk.to.address }
      return sender.send(envelope, await composeMail(await deskMail(desk, reply, message)), signal)
    },
    verify: (signal) => sender.verify(signal),
    close: () => sender.close(),
  }
}
