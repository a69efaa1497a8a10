import type { Brand } from '../config.ts'
import { createCustomerMailConnector } from '../connectors/customer-mail.connector.ts'

type Check = { what: string; ok: boolean; detail: string }

/** What a brand's customers get by mail, and how their answers come back. */
export async function checkMail(brand: Brand, signal: AbortSignal): Promise<Check[]> {
  const out = await checkOut(brand, signal)
  // A brand that knows nothing of mail needs one line to say so.
  if (brand.mail === null && brand.reply === null && brand.inbound === null) return [out]
  return [out, { what: `answers of ${brand.id}`, ok: true, detail: waysBack(brand) }]
}

async function checkOut(brand: Brand, signal: AbortSignal): Promise<Check> {
  const what = `mail of ${brand.id}`
  const connector = createCustomerMailConnector(brand)
  if (connector === null)
    return { what, ok: true, detail: 'none is sent to customers: the brand has no mail' }
  try {
    const { ok, detail } = await connector.verify(signal)
    return { what, ok, detail: detail + unsigned(brand) + withoutLink(brand) }
  } finally {
    await connector.close()
  }
}

/** A signature counts for DMARC where its domain is that of From, or one is below the other (RFC 7489, section 3.1.1). */
function unsigned({ mail }: Brand): string {
  if (mail === null) return ''
  const { dkim, from } = mail
  if (dkim === null) return '; it is not signed: no mail.dkim'
  const [one, other] = [dkim.domain, from.address.slice(from.address.lastIndexOf('@') + 1).toLowerCase()]
  const isAligned = `.${one}`.endsWith(`.${other}`) || `.${other}`.endsWith(`.${one}`)
  return isAligned
    ? ''
    : '; its signature says nothing of its sender: mail.dkim.domain is not that of mail.from'
}

/** A notice that there is an answer is of little use to whoever is not told where. */
function withoutLink(brand: Brand): string {
  const isNotice = brand.private || brand.answers === 'verified'
  return isNotice && brand.ticketUrl === null
    ? '; a notice of an answer does not say where it is: no ticket_url'
    : ''
}

function waysBack({ reply, inbound }: Brand): string {
  const ways = [
    'the command',
    ...(inbound?.secret ? ['HTTP'] : []),
    ...(inbound?.imap ? ['the mailbox'] : []),
  ].join(', ')
  const addresses =
    reply === null
      ? 'no signed addresses: the brand has no reply, and only threads tell whose an answer is'
      : `signed addresses, ${reply.keys.length === 1 ? 'one key' : `${reply.keys.length} keys`}`
  const fresh = inbound?.acceptNew ? '; mail opens tickets' : ''
  return `${addresses}; mail comes in by ${ways}${fresh}`
}
