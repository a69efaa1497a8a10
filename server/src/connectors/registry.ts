import type { Brand } from '../config.ts'
import type { Connector, Side } from './connector.ts'
import { createCustomerMailConnector } from './customer-mail.connector.ts'
import { createInboxConnector } from './inbox.connector.ts'
import { customerMailDomain, mailDomain } from './message-id.ts'
import { createSmtpConnector, SMTP_TIMEOUTS } from './smtp.connector.ts'
import { createWebhookConnector } from './webhook.connector.ts'

/** Where one side of a brand is reached. */
export type Outlet = {
  brandId: string
  side: Side
  connector: Connector
  /** The domain of its Message-IDs; null where what leaves is no mail. */
  mailDomain: string | null
}

/**
 * The outlets of a brand, each with its own connections: its desk, and where it has `mail`, its customers.
 * @param now milliseconds since 1970
 */
export function createOutlets(brand: Brand, deps: { now: () => number }): Outlet[] {
  const desk: Outlet = {
    brandId: brand.id,
    side: 'desk',
    connector: createConnector(brand, deps),
    mailDomain: mailDomain(brand.desk),
  }
  const mail = createCustomerMailConnector(brand)
  if (mail === null || brand.mail === null) return [desk]
  return [
    desk,
    { brandId: brand.id, side: 'customer', connector: mail, mailDomain: customerMailDomain(brand.mail) },
  ]
}

/**
 * The connector of a brand's desk, with its own connections. A further kind of desk is one file beside this
 * one and one line here.
 * @param now milliseconds since 1970
 */
export function createConnector(brand: Brand, { now }: { now: () => number }): Connector {
  const { desk } = brand
  switch (desk.connector) {
    case 'inbox':
      return createInboxConnector()
    case 'smtp':
      return createSmtpConnector(desk, SMTP_TIMEOUTS, brand.reply)
    case 'webhook':
      return createWebhookConnector(desk, now)
  }
}
