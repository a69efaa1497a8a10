/**
 * The bare floor: a Fastify route with the same schema, one ES256 verification by jose for each request, and
 * one statement that inserts the same four rows. It checks nothing else, logs nothing and keeps no key, no
 * file and no promise.
 */
import { readFileSync } from 'node:fs'
import { NewTicket, Receipt } from '@bellhop/contract'
import fastify from 'fastify'
import { createLocalJWKSet, jwtVerify } from 'jose'
import postgres from 'postgres'
import { newUuid, toId } from '../server/src/ids.ts'

const settings = process.argv[2]
if (settings === undefined) throw new Error('floor.ts needs its settings, see servers.ts')
const { jwks, issuer, audience, ...database } = JSON.parse(readFileSync(settings, 'utf8'))

const sql = postgres({ ...database, max: 16, fetch_types: false })
const keys = createLocalJWKSet(jwks)
const app = fastify()

app.post<{ Body: NewTicket }>(
  '/v1/support/tickets',
  { schema: { body: NewTicket, response: { 201: Receipt } } },
  async (request, reply) => {
    const token = request.headers.authorization?.slice('Bearer '.length) ?? ''
    await jwtVerify(token, keys, { issuer, audience, algorithms: ['ES256'] })
    const { body } = request
    const [ticketId, messageId, deliveryId] = [newUuid(), newUuid(), newUuid()]
    await sql`
      WITH ticket AS (
        INSERT INTO tickets (brand_id, id, issuer, person_id, requester_email, requester_name, subject)
        VALUES (${body.brand_id}, ${ticketId}, ${issuer}, ${body.person_id}, ${body.requester_email},
          ${body.requester_name ?? null}, ${body.subject})
      ), message AS (
        INSERT INTO messages (brand_id, id, ticket_id, author, body)
        VALUES (${body.brand_id}, ${messageId}, ${ticketId}, 'customer', ${body.body})
      ), delivery AS (
        INSERT INTO deliveries (brand_id, id, message_id, connector, state, finished_at)
        VALUES (${body.brand_id}, ${deliveryId}, ${messageId}, 'inbox', 'delivered', now())
      )
      INSERT INTO audit_entries (brand_id, id, actor, action, ticket_id, message_id, delivery_id)
      VALUES (${body.brand_id}, ${newUuid()}, 'person', 'ticket.created', ${ticketId}, ${messageId}, ${deliveryId})`
    return reply
      .code(201)
      .send({ ticket_id: toId('tkt', ticketId), message_id: toId('msg', messageId), status: 'sent' })
  },
)

await app.listen({ host: '127.0.0.1', port: 0 })
const address = app.server.address()
process.stdout.write(`listening ${typeof address === 'object' ? address?.port : ''}\n`)
