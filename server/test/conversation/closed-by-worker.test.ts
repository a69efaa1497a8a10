import { afterAll, beforeAll, expect, test } from 'vitest'
import { brandOf, startBellhop, type TestBellhop } from '../bellhop.ts'
import { type FaultHttpServer, httpAnswer, startFaultHttpServer } from '../connectors/fault-http-server.ts'
import { SECRET } from '../desk/signing-desk.ts'
import { listen, until } from '../events/listener.ts'
import { uuidOf } from '../tickets/speaking.ts'

let desk: FaultHttpServer
let bellhop: TestBellhop
beforeAll(async () => {
  desk = await startFaultHttpServer()
  desk.behaviour = httpAnswer(204)
  const url = `http://127.0.0.1:${desk.port}/`
  bellhop = await startBellhop({
    brands: (issuer) => [brandOf('acme', issuer, { desk: { connector: 'webhook', url, secret: SECRET } })],
    upkeepEvery: 50,
    streamTimes: { look: 20 },
  })
})
afterAll(async () => {
  await bellhop.stop()
  await desk.close()
})

const send = (method: string, path: string, body: object) =>
  bellhop.ask(`/v1/support/tickets/${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
const read = async (ticket: string) => (await bellhop.ask(`/v1/support/tickets/${ticket}`)).body
const solve = async () => {
  const ticket = String((await bellhop.file()).body.ticket_id)
  expect((await send('PATCH', ticket, { status: 'solved' })).body.status).toBe('solved')
  return ticket
}

test('a running worker closes what was solved two weeks ago, all hear of it, and nothing more is said there', async () => {
  const [old, recent] = [await solve(), await solve()]
  const authorization = `Bearer ${await bellhop.issuer.token()}`
  const listener = await listen(bellhop.url, old, { authorization })
  await bellhop.sql`
    UPDATE tickets SET solved_at = now() - interval '14 days' + CASE id
      WHEN ${uuidOf('tkt', old)} THEN interval '-1 second' ELSE interval '1 minute' END`
  // What was done right before the stream began may be told, too.
  const event = () => listener.events().find(({ data }) => data.status === 'closed')
  await until(() => event() !== undefined)
  listener.hangUp()
  expect(event()?.data).toMatchObject({ type: 'ticket.updated', ticket_id: old })
  const closed = await read(old)
  expect([closed.status, closed.updated_at]).toEqual(['closed', event()?.data.updated_at])
  expect((await read(recent)).status).toBe('solved')
  const listed = await bellhop.ask('/v1/support/tickets?brand_id=acme&status=closed')
  expect((listed.body.data as { ticket_id: string }[]).map(({ ticket_id }) => ticket_id)).toEqual([old])

  for (const answer of [
    await send('POST', `${old}/messages`, { body: 'It is broken again.' }),
    await send('PATCH', old, { status: 'open' }),
  ])
    expect([answer.status, answer.body.error]).toEqual([409, 'ticket_closed'])
  expect(await read(old)).toEqual(closed)
  expect((await send('POST', `${recent}/messages`, { body: 'It is broken again.' })).status).toBe(201)

  // The desk has its own record of each ticket.
  const told = () =>
    desk.received
      .map(({ body }) => JSON.parse(body) as { type: string; data: { ticket_id: string; status: string } })
      .filter(({ type }) => type === 'support.ticket.updated')
      .map(({ data }) => [data.ticket_id, data.status])
  await until(() => told().length === 4)
  expect(new Set(told().map(String))).toEqual(
    new Set([`${old},solved`, `${recent},solved`, `${old},closed`, `${recent},open`]),
  )
  expect(bellhop.logged()).toMatch(/"count":1,"event":"tickets_closed"/)
})
