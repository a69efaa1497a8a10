import type { IncomingMessage, ServerResponse } from 'node:http'
import { finished } from 'node:stream'

/**
 * Of a refused request's body: enough for what was already on its way. From whose token holds and who said how
 * much it is: all of it, since many a client sends everything before it reads, and it costs no memory.
 */
const A_LITTLE = { bytes: 1024 * 1024, ms: 2000 }
const ALL = { bytes: 32 * 1024 * 1024, ms: 10_000 }

/** May the rest of the request's body still be coming? */
export function hasRest(request: IncomingMessage): boolean {
  const { headers, complete, readableEnded, destroyed } = request
  if (complete || readableEnded || destroyed) return false
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
}

/**
 * A refused request may still be sending its body. Node would read on to the end to keep the connection, or
 * close it at once, which resets it under a client that is still sending. Here it reads a little, so that the
 * client finds the answer, and then hangs up.
 * @param closes whether the connection ends with this answer also where the body came to its end
 * @param known whether the caller's token holds
 */
export function boundRest(
  request: IncomingMessage,
  response: ServerResponse,
  { closes, known }: { closes: boolean; known: boolean },
): void {
  const limit = known && Number(request.headers['content-length']) <= ALL.bytes ? ALL : A_LITTLE
  let rest = 0
  const timer = setTimeout(() => request.socket.destroy(), limit.ms)
  timer.unref()
  request.on('data', (chunk: Buffer) => {
    rest += chunk.length
    if (rest > limit.bytes) request.pause()
  })
  request.once('end', () => {
    clearTimeout(timer)
    if (closes) finished(response, () => request.socket.end())
  })
  request.once('close', () => clearTimeout(timer))
  request.resume()
}
