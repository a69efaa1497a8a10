import { expect } from 'vitest'
import { type Answer, brandOf, startBellhop, type TestBellhop } from '../bellhop.ts'
import { type MailDesk, mailBrand, startMailDesk } from '../deliveries/mail-desk.ts'
import { type Speaking, speakingAt } from './speaking.ts'

const LIMITS = { attachmentBytes: 1000, textBytes: 2000, requestBytes: 100_000 }

/** A message as its customer reads it. */
export type Told = {
  message_id: string
  body: string
  author: string
  status: string
  speaker: object
  delivery: object
  attachments: object[]
}

/** Two processes on one database, at which a customer says more. */
export type FollowUpScene = {
  bellhop: TestBellhop
  beside: TestBellhop
  /** The desk of `initech`; that of the other brands is the built-in inbox. */
  mailDesk: MailDesk
  /** Whoever else speaks on a ticket. */
  speaking: Speaking
  /** Files a ticket. @returns its id, `tkt_…` */
  open(brand?: string, headers?: object): Promise<string>
  say(ticket: string, body?: unknown, headers?: object, at?: TestBellhop): Promise<Answer>
  read(ticket: string): Promise<Record<string, unknown>>
  messagesOf(ticket: string): Promise<Told[]>
  stop(): Promise<void>
}

export async function setFollowUpScene(): Promise<FollowUpScene> {
  const mailDesk = await startMailDesk()
  const brands: NonNullable<Parameters<typeof startBellhop>[0]>['brands'] = (issuer) => [
    brandOf('acme', issuer, { trustedClients: ['backend'] }),
    brandOf('globex', issuer, { requiredScope: 'write' }),
    brandOf('hooli', issuer, { ticketsPerMinute: 2 }),
    mailBrand('initech', issuer, mailDesk, 10_000),
  ]
  const bellhop = await startBellhop({ brands, limits: LIMITS })
  const beside = await startBellhop({ brands, limits: LIMITS, beside: bellhop })
  const read = async (ticket: string) => (await bellhop.ask(`/v1/support/tickets/${ticket}`)).body
  return {
    bellhop,
    beside,
    mailDesk,
    speaking: speakingAt(bellhop, ['acme', 'globex', 'hooli', 'initech']),
    async open(brand = 'acme', headers = {}) {
      const { status, body } = await bellhop.file({ brand_id: brand }, { ...headers })
      expect(status).toBe(201)
      return String(body.ticket_id)
    },
    say: (ticket, body = { body: 'And the colour is wrong.' }, headers = {}, at = bellhop) =>
      at.ask(`/v1/support/tickets/${ticket}/messages`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    read,
    messagesOf: async (ticket) => (await read(ticket)).messages as Told[],
    async stop() {
      await beside.stop()
      await bellhop.stop()
      await mailDesk.close()
    },
  }
}

export const refusal = ({ status, body }: Answer) => [status, body.error]

export const file = (content: string, filename = 'a.txt') => ({
  filename,
  content_base64: Buffer.from(content).toString('base64'),
})
