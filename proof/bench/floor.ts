/**
 * The bare floor: a Fastify route with the same schema, one verification of the token for each request (ES256 by
 * jose, or one question to the issuer), and one statement that inserts the same rows. A file is decoded, hashed,
 * written and fsynced once. It checks nothing else, logs nothing and keeps no key, no memory and no promise.
 */
import { hash } from 'node:crypto'
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { Agent, request as ask, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { NewTicket, Receipt } from '@bellhop/contract'
import fastify from 'fastify'
import { createLocalJWKSet, type JWK, jwtVerify } from 'jose'
import postgres from 'postgres'
import { newUuid, toId } from '../../server/src/ids.ts'
import { serveAsPeer } from './peer.ts'
import type { SocketEndpoint } from './postgres.ts'

export type FloorSettings = {
  endpoint: SocketEndpoint
  issuer: string
  /** How a token is verified. */
  tokens: { jwks: { keys: JWK[] }; audience: string } | { introspection: string }
  /** Where files go. */
  folder: string
}

/** What the floor calls itself where it asks an issuer. */
const CLIENT = { id: 'bellhop', secret: 'not a secret' }

const REQUEST_LIMIT = 26 * 1024 * 1024

async function startFloor({ endpoint, issuer, tokens, folder }: FloorSettings) {
  const { path, user, password, database } = endpoint
  const sql = postgres({ path, user, password, database, max: 16, fetch_types: false })
  const verify = 'jwks' in tokens ? jwtVerifier(tokens, issuer) : introspector(tokens.introspection)
  const app = fastify({ bodyLimit: REQUEST_LIMIT })

  app.post<{ Body: NewTicket }>(
    '/v1/support/tickets',
    { schema: { body: NewTicket, response: { 201: Receipt } } },
    async (request, reply) => {
      await verify(request.headers.authorization?.slice('Bearer '.length) ?? '')
      const { body } = request
      const file = body.attachment ? await keepFile(folder, body.attachment) : null
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
        )${file === null ? sql`` : fileRows(body.brand_id, messageId, file)}
        INSERT INTO audit_entries (brand_id, id, actor, action, ticket_id, message_id, delivery_id)
        VALUES (${body.brand_id}, ${newUuid()}, 'person', 'ticket.created', ${ticketId}, ${messageId}, ${deliveryId})`
      return reply
        .code(201)
        .send({ ticket_id: toId('tkt', ticketId), message_id: toId('msg', messageId), status: 'sent' })
    },
  )

  function fileRows(brandId: string, messageId: string, file: KeptFile) {
    return sql`, blob AS (
        INSERT INTO blobs (sha256, size) VALUES (${file.sha256}, ${file.size})
      ), attachment AS (
        INSERT INTO attachments (brand_id, id, message_id, filename, declared_type, sha256)
        VALUES (${brandId}, ${newUuid()}, ${messageId}, ${file.filename}, ${file.type}, ${file.sha256})
      )`
  }

  await app.listen({ host: '127.0.0.1', port: 0 })
  const address = app.server.address()
  if (address === null || typeof address === 'string') throw new Error('the floor has no port')
  return {
    ready: { port: address.port },
    /** @returns the MiB that are resident */
    answer: async () => process.memoryUsage.rss() / 2 ** 20,
  }
}

function jwtVerifier({ jwks, audience }: { jwks: { keys: JWK[] }; audience: string }, issuer: string) {
  const keys = createLocalJWKSet(jwks)
  return async (token: string): Promise<void> => {
    await jwtVerify(token, keys, { issuer, audience, algorithms: ['ES256'] })
  }
}

function introspector(endpoint: string) {
  const agent = new Agent({ keepAlive: true })
  const headers = {
    accept: 'application/json',
    'content-type': 'application/x-www-form-urlencoded',
    authorization: `Basic ${Buffer.from(`${CLIENT.id}:${encodeURIComponent(CLIENT.secret)}`).toString('base64')}`,
  }
  return async (token: string): Promise<void> => {
    const question = ask(endpoint, { method: 'POST', agent, headers })
    question.end(`token=${token}&token_type_hint=access_token`)
    const [answer] = (await once(question, 'response')) as [IncomingMessage]
    answer.setEncoding('utf8')
    let text = ''
    for await (const piece of answer) text += piece
    if (answer.statusCode !== 200 || JSON.parse(text).active !== true) {
      throw new Error('the token is not active')
    }
  }
}

type KeptFile = { sha256: Buffer; size: number; filename: string; type: string | null }

async function keepFile(folder: string, file: NonNullable<NewTicket['attachment']>): Promise<KeptFile> {
  const bytes = Buffer.from(file.content_base64, 'base64')
  const sha256 = hash('sha256', bytes, 'buffer')
  const kept = await open(join(folder, sha256.toString('hex')), 'wx', 0o600)
  try {
    await kept.writeFile(bytes)
    await kept.sync()
  } finally {
    await kept.close()
  }
  return { sha256, size: bytes.length, filename: file.filename, type: file.content_type ?? null }
}

serveAsPeer(startFloor)
