import type { IncomingMessage, ServerResponse } from 'node:http'
import { finished } from 'node:stream'

/** Of a refused request's body: enough for what was already on its way. */
const REST_BYTES = 1024 * 1024
const REST_MS = 2000

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
 */
export function boundRest(request: IncomingMessage, response: ServerResponse, closes: boolean): void {
  let rest = 0
  const timer = setTimeout(() => request.socket.destroy(), REST_MS)
  timer.unref()
  request.on('data', (chunk: Buffer) => {
    rest += chunk.length
    if (rest > REST_BYTES) request.pause()
  })
  request.once('end', () => {
    clearTimeout(timer)
    if (closes) finished(response, () => request.socket.end())
  })
  request.once('close', () => clearTimeout(timer))
  request.resume()
}
