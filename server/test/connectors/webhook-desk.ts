import { afterEach } from 'vitest'
import type { Connector } from '../../src/connectors/connector.ts'
import { createWebhookConnector } from '../../src/connectors/webhook.connector.ts'
import {
  type FaultHttpServer,
  type HttpBehaviour,
  httpAnswer,
  startFaultHttpServer,
} from './fault-http-server.ts'

export const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`
/** Head and body waits are counted by undici in steps of about half a second. */
export const SHORT = { connect: 300, headers: 300, body: 200, attempt: 3000 }

export const opened: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

/** A desk that answers like that, until the test ends. */
export async function start(behaviour: HttpBehaviour = httpAnswer(204)): Promise<FaultHttpServer> {
  const server = await startFaultHttpServer()
  server.behaviour = behaviour
  opened.push(() => server.close())
  return server
}

/** The connector that is tested, with waits that suit a test. */
export function connect(url: string, now = () => Date.now(), timeouts = SHORT): Connector {
  const connector = createWebhookConnector({ connector: 'webhook', url, secret: SECRET }, now, timeouts)
  opened.push(() => connector.close())
  return connector
}

export const at = (server: FaultHttpServer, path = '/tickets') => `http://127.0.0.1:${server.port}${path}`
