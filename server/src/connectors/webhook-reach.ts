import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'
import type { Verdict } from './connector.ts'
import { errorCode, networkFault } from './network-fault.ts'

/** Standard Webhooks knows no call without effect, so only the way to the desk is tried. */
export async function reach(url: URL, signal: AbortSignal): Promise<Verdict> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const secure = url.protocol === 'https:'
  const port = Number(url.port) || (secure ? 443 : 80)
  const socket = secure
    ? tls.connect({ host, port, ...(net.isIP(host) === 0 ? { servername: host } : {}) })
    : net.connect({ host, port })
  socket.on('error', () => {})
  try {
    await once(socket, secure ? 'secureConnect' : 'connect', { signal })
    return { ok: true, detail: 'the desk can be reached; the secret is tried only by the first ticket' }
  } catch (error) {
    const code = signal.aborted ? 'connection_timeout' : networkFault(errorCode(error)).code
    return { ok: false, detail: `${code}: check host and port in desk.url, its certificate and the firewall` }
  } finally {
    socket.destroy()
  }
}
