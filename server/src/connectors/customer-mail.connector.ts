import type { Brand } from '../config.ts'
import { type Connector, CUSTOMER_MAIL } from './connector.ts'
import { customerMail } from './customer-mail.ts'
import { signDkim } from './dkim-signature.ts'
import { composeMail } from './mail-message.ts'
import { createSmtpSender, SMTP_TIMEOUTS, type SmtpTimeouts } from './smtp-sender.ts'

/**
 * Mail to a brand's customers, by the mail server of its `mail`.
 * @returns null where the brand has none, and its customers get no mail
 */
export function createCustomerMailConnector(
  brand: Brand,
  timeouts: SmtpTimeouts = SMTP_TIMEOUTS,
): Connector | null {
  const { mail } = brand
  if (mail === null) return null
  const mailing = { ...brand, mail }
  const sender = createSmtpSender(mail.url, 'mail.url', timeouts)
  return {
    name: CUSTOMER_MAIL,
    atCommit: false,
    async send(message, signal) {
      const composed = await composeMail(await customerMail(mailing, message))
      const signed = mail.dkim === null ? composed : await signDkim(mail.dkim, composed, message.createdAt)
      const envelope = {
        // Nothing is ever sent back for an acknowledgement, so that two machines cannot keep each other busy.
        from: message.kind === 'acknowledgement' ? '' : mail.from.address,
        to: message.recipient ?? message.requester.email,
      }
      return sender.send(envelope, signed, signal)
    },
    verify: (signal) => sender.verify(signal),
    close: () => sender.close(),
  }
}
