/** What Bellhop's carrying is compared with: nodemailer's own pool, alone, with the same mails. */
import nodemailer from 'nodemailer'
import { serveAsPeer } from './peer.ts'

export type MailerSettings = {
  port: number
  connections: number
  mails: number
  subject: string
  body: string
}

async function startMailer({ port, connections, subject, body }: Omit<MailerSettings, 'mails'>) {
  const transport = nodemailer.createTransport({
    pool: true,
    host: '127.0.0.1',
    port,
    maxConnections: connections,
    // As many as one of Bellhop's sessions carries.
    maxMessages: 100,
    ignoreTLS: true,
  })
  let made = 0

  async function send(): Promise<void> {
    made++
    await transport.sendMail({
      from: 'Acme Support <support@acme.example>',
      to: 'helpdesk@acme.example',
      replyTo: 'Ada Lovelace <ada@example.com>',
      subject,
      text: body,
      messageId: `<msg_${made.toString(16).padStart(32, '0')}@acme.example>`,
      headers: {
        'Auto-Submitted': 'auto-generated',
        'X-Bellhop-Ticket': `tkt_${made.toString(16).padStart(32, '0')}`,
      },
    })
  }

  return {
    ready: null,
    /** Sends so many mails, with enough on their way that no connection ever waits for one. */
    async answer(mails: number): Promise<null> {
      let left = mails
      await Promise.all(
        Array.from({ length: connections * 2 }, async () => {
          while (left > 0) {
            left--
            await send()
          }
        }),
      )
      return null
    },
  }
}

serveAsPeer(startMailer)
