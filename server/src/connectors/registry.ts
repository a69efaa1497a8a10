import type { Brand } from '../config.ts'
import type { Connector } from './connector.ts'
import { createInboxConnector } from './inbox.connector.ts'
import { createSmtpConnector } from './smtp.connector.ts'
import { createWebhookConnector } from './webhook.connector.ts'

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
      return createSmtpConnector(desk)
    case 'webhook':
      return createWebhookConnector(desk, now)
  }
}
