import type { IncomingMessage } from 'node:http'

/** `uri-host [ ":" port ]` (RFC 3986, section 3.2.2), which may be empty. */
const HOST = /^(?:\[[0-9A-Za-z:.]+\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*)(?::\d*)?$/

/**
 * A request of HTTP/1.1 has one Host header, an older one at most one, and what it says is a host (RFC 9112,
 * section 3.2).
 */
export function hasOneHost({ rawHeaders, httpVersion }: IncomingMessage): boolean {
  let hosts = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]
    if (name?.length !== 4 || name.toLowerCase() !== 'host') continue
    if (!HOST.test(rawHeaders[index + 1] ?? '')) return false
    hosts++
  }
  return hosts === 1 || (hosts === 0 && httpVersion === '1.0')
}
