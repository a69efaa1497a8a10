/**
 * The bare floor of mails: a Fastify route that takes the raw bytes, writes and fsyncs them, and inserts one row. It
 * checks no signature, looks for no mail that came before, and logs nothing.
 */
import { hash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import fastify from 'fastify'
import postgres from 'postgres'
import { newUuid, toId } from '../../server/src/ids.ts'
import { serveAsPeer } from './peer.ts'
import type { SocketEndpoint } from './postgres.ts'

export type MailFloorSettings = {
  endpoint: SocketEndpoint
  /** Where files go. */
  folder: string
}

const LIMIT = 26 * 1024 * 1024

async function startMailFloor({ endpoint, folder }: MailFloorSettings) {
  const { path, user, password, database } = endpoint
  const sql = postgres({ path, user, password, database, max: 16, fetch_types: false })
  const app = fastify({ bodyLimit: LIMIT })
  app.addContentTypeParser('message/rfc822', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  )

  app.post<{ Params: { brand: string }; Body: Buffer }>('/v1/inbound/:brand', async (request, reply) => {
    const { body } = request
    const id = newUuid()
    const sha256 = hash('sha256', body, 'buffer')
    const file = await open(join(folder, id), 'wx', 0o600)
    try {
      await file.writeFile(body)
      await file.sync()
    } finally {
      await file.close()
    }
    await sql`
      WITH blob AS (
        INSERT INTO blobs (sha256, size) VALUES (${sha256}, ${body.length}) ON CONFLICT DO NOTHING
      )
      INSERT INTO inbound_mails (brand_id, id, way, sha256, size)
      VALUES (${request.params.brand}, ${id}, 'http', ${sha256}, ${body.length})`
    return reply.code(201).send({ inbound_id: toId('inb', id) })
  })

  await app.listen({ host: '127.0.0.1', port: 0 })
  const address = app.server.address()
  if (address === null || typeof address === 'string') throw new Error('the floor has no port')
  return { ready: { port: address.port }, answer: async () => process.memoryUsage.rss() / 2 ** 20 }
}

serveAsPeer(startMailFloor)
