/** An issuer of opaque tokens (RFC 7662), in a process of its own: `opq_per_ada` is a token of `per_ada`. */
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { serveAsPeer } from './peer.ts'

async function startIssuer() {
  const server = createServer(async (request, response) => {
    const token = new URLSearchParams(await textOf(request)).get('token') ?? ''
    const answer = token.startsWith('opq_')
      ? { active: true, sub: token.slice('opq_'.length), exp: Math.floor(Date.now() / 1000) + 3600 }
      : { active: false }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  })
  server.keepAliveTimeout = 60_000
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the issuer has no port')
  return { ready: { url: `http://127.0.0.1:${address.port}` }, answer: async () => null }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}

serveAsPeer(startIssuer)
