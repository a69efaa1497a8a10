import { isIPv4 } from 'node:net'

/** Does this host stay on this machine: `localhost`, 127.0.0.0/8 or `::1`, with brackets or without? */
export function isLoopbackHost(host: string): boolean {
  const name = host.toLowerCase()
  if (name === 'localhost' || name === '::1' || name === '[::1]') return true
  return isIPv4(name) && name.startsWith('127.')
}

/**
 * Is this an address that Bellhop may call: absolute, `https://` (or `http://` to loopback), printable ASCII,
 * without credentials and without a fragment?
 */
export function isCallableUrl(text: string): boolean {
  // The URL parser drops line breaks and outer blanks, and reads a backslash as a slash.
  if (!/^https?:\/\/[!-~]+$/.test(text) || /[\\#]/.test(text) || !URL.canParse(text)) return false
  if (/^https?:\/\/[^/?]*@/.test(text)) return false
  const url = new URL(text)
  return url.protocol === 'https:' || isLoopbackHost(url.hostname)
}

/** Is this an issuer's identifier (RFC 8414, section 2): an address that can be called, without a query? */
export function isIssuerUrl(text: string): boolean {
  return isCallableUrl(text) && !text.includes('?')
}

/** Is this an origin exactly as a browser sends it (RFC 6454, section 6.2): no path, no default port, no wildcard? */
export function isOrigin(text: string): boolean {
  return isCallableUrl(text) && !text.includes('*') && new URL(text).origin === text
}

/**
 * Is this where a customer reads a ticket: an address for browsers, with `{ticket_id}` in its path, query or
 * fragment?
 */
export function isTicketUrl(text: string): boolean {
  const [base = '', fragment = '', ...rest] = text.split('#')
  if (rest.length > 0 || !/^[!-~]*$/.test(fragment)) return false
  // With another id the host must be the same: an id there would be a name to look up.
  const filled = base.replaceAll('{ticket_id}', 'tkt_0')
  return (
    text.includes('{ticket_id}') &&
    !/[{}]/.test(text.replaceAll('{ticket_id}', '')) &&
    isCallableUrl(filled) &&
    !new URL(filled).host.includes('tkt_0')
  )
}
