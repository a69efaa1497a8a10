import { expect, test } from 'vitest'
import { createCustomerMailConnector } from '../../src/connectors/customer-mail.connector.ts'
import { Carrier } from '../../src/deliveries/carrier.ts'
import type { Job } from '../../src/deliveries/job.ts'
import { createLog } from '../../src/log.ts'
import { answer, brand, MAIL } from '../connectors/a-customer-mail.ts'
import { startFaultSmtpServer } from '../connectors/fault-smtp-server.ts'

const SENDABLE = 'ada@example.com'
const UNSENDABLE = '"ada>b"@example.com'

test('for an address that no mail can be sent to no server is asked, so that it says nothing of one that is left alone', async () => {
  const server = await startFaultSmtpServer()
  server.faults.set('rcpt', { reply: '454 4.7.1 Relay access denied' })
  const connector = createCustomerMailConnector(
    brand({ mail: { ...MAIL, url: `smtp://127.0.0.1:${server.port}` } }),
  )
  if (connector === null) throw new Error('the brand sends mail')
  let now = 0
  const carrier = new Carrier({
    outlets: [{ brandId: 'acme', side: 'customer', connector, mailDomain: 'acme.example' }],
    store: {
      finish: async ({ next }) => (next === 'rejected' ? 'rejected' : 'pending'),
      renew: async (leases) => new Set(leases.map(({ deliveryId }) => deliveryId)),
      release: async () => {},
    },
    log: createLog({ level: 'silent', pretty: false }),
    observe: () => {},
    random: Math.random,
    now: () => now,
    pass: () => {},
  })
  const carry = (recipient: string) => carrier.carry(jobTo(recipient), carrier.occupy('acme', 'customer'))
  const places = () => carrier.free().ofOutlet[0]?.places ?? 0
  try {
    for (let failed = 0; failed < 5; failed++) expect(await carry(SENDABLE)).toBe('pending')
    expect(places()).toBe(0)
    now = 5000
    expect(places()).toBe(1)
    expect(await carry(UNSENDABLE)).toBe('rejected')
    // The probe is still to be made: by one, not by five.
    expect(places()).toBe(1)
    expect(await carry(SENDABLE)).toBe('pending')
    expect(places()).toBe(0)
  } finally {
    await carrier.close(0, Promise.resolve())
    await connector.close()
    await server.close()
  }
})

function jobTo(recipient: string): Job {
  const deliveryId = '0199c0ff-ee00-7000-8000-00000000000d'
  return {
    brandId: 'acme',
    deliveryId,
    attempt: 1,
    retriedAfter: 0,
    refused: null,
    message: answer({ recipient }),
  }
}
