import type { IncomingMessage } from 'node:http'

/** Of a refused request's body: enough for what was already on its way. */
const REST_BYTES = 1024 * 1024
const REST_MS = 2000

/**
 * A refused request may still be sending its body. Node would read on to the end to keep the connection;
 * here it reads a little, so that the client finds the answer rather than a reset, and then hangs up.
 */
export function boundRest(request: IncomingMessage): void {
  if (request.complete || request.readableEnded || request.destroyed) return
  let rest = 0
  const hangUp = () => request.socket.destroy()
  const timer = setTimeout(hangUp, REST_MS)
  timer.unref()
  request.on('data', (chunk: Buffer) => {
    rest += chunk.length
    if (rest > REST_BYTES) {
      request.pause()
    }
  })
  request.once('end', () => clearTimeout(timer))
  request.once('close', () => clearTimeout(timer))
  request.resume()
}
