import { afterAll, beforeAll, expect, test } from 'vitest'
import { startBellhop, type TestBellhop } from '../bellhop.ts'
import { holdOpen } from '../events/event-scene.ts'
import { uuidOf } from './speaking.ts'

let bellhop: TestBellhop
beforeAll(async () => {
  bellhop = await startBellhop()
})
afterAll(() => bellhop.stop())

test.each([
  ['POST', '/messages', { body: 'And the colour is wrong.' }, 201],
  ['PATCH', '', { status: 'solved' }, 200],
])(
  '%s%s on a ticket that somebody keeps locked is to be tried again, and takes nobody else down',
  async (method, path, body, status) => {
    const ticket = String((await bellhop.file()).body.ticket_id)
    const send = () =>
      bellhop.ask(`/v1/support/tickets/${ticket}${path}`, {
        method,
        headers: { 'content-type': 'application/json', 'idempotency-key': `locked-${method}` },
        body: JSON.stringify(body),
      })
    const held = await holdOpen(
      bellhop.sql,
      (tx) => tx`SELECT FROM tickets WHERE id = ${uuidOf('tkt', ticket)} FOR UPDATE`,
    )
    const refused = await send()
    expect([refused.status, refused.body.error, refused.headers.get('retry-after')]).toEqual([
      503,
      'unavailable',
      '1',
    ])
    // One ticket is no outage: the process is asked for others.
    expect((await bellhop.ask('/readyz')).status).toBe(200)
    await held.commit()
    const done = await send()
    expect([done.status, done.headers.get('idempotency-replayed')]).toEqual([status, null])
    expect((await send()).headers.get('idempotency-replayed')).toBe('true')
  },
)
