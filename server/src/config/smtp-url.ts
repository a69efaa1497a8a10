import { isLoopbackHost } from './web-address.ts'

/** A name, an IPv4 address, or an IPv6 address in brackets; the parser itself takes more, `a%00b` among them. */
const HOST = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])$/
const BOOLEAN = { form: /^(?:true|false)$/, expected: 'true or false' }
const HOST_NAME = {
  form: /^(?=.{1,253}$)(?=.*[A-Za-z])[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*$/,
  expected: 'a host name',
}

/**
 * The options that the query may set, as nodemailer reads them. Every other one is refused, since the query
 * reaches the mail library whole, and could raise its log level or turn its limits off.
 */
const OPTIONS: Record<string, { form: RegExp; expected: string }> = {
  requireTLS: BOOLEAN,
  ignoreTLS: BOOLEAN,
  name: HOST_NAME,
  'tls.rejectUnauthorized': BOOLEAN,
  'tls.servername': HOST_NAME,
}

/**
 * What is wrong with a mail server's URL, as sentences that say what was expected and repeat no value.
 * @returns an empty list where the URL can be used
 */
export function smtpUrlFaults(text: string): string[] {
  const url = /^smtps?:\/\/[!-~]+$/.test(text) && !/[\\#]/.test(text) ? URL.parse(text) : null
  if (url === null || !HOST.test(url.hostname) || url.port === '0' || !/^\/?$/.test(url.pathname)) {
    return ['expected smtp://host:port or smtps://host:port, without a path, and credentials percent-encoded']
  }
  const options = [...url.searchParams]
  const faults = options.flatMap(([name, value]) => optionFaults(name, value))
  if (new Set(options.map(([name]) => name)).size < options.length) faults.push('expected each option once')
  if (!hasFairCredentials(url)) {
    faults.push('expected credentials as user:password@, both percent-encoded, or none')
  }
  return [...faults, ...tlsFaults(url)]
}

function optionFaults(name: string, value: string): string[] {
  const option = Object.hasOwn(OPTIONS, name) ? OPTIONS[name] : undefined
  if (option === undefined) return [`expected no options but ${Object.keys(OPTIONS).join(', ')}`]
  return option.form.test(value) ? [] : [`expected ${option.expected} for the option ${name}`]
}

function hasFairCredentials(url: URL): boolean {
  if ((url.username === '') !== (url.password === '')) return false
  try {
    decodeURIComponent(url.username)
    decodeURIComponent(url.password)
    return true
  } catch {
    return false
  }
}

/** A password may leave this machine only on a connection that is surely encrypted. */
function tlsFaults(url: URL): string[] {
  const isSet = (name: string) => url.searchParams.get(name) === 'true'
  if (isSet('requireTLS') && isSet('ignoreTLS')) return ['expected one of requireTLS and ignoreTLS, not both']
  const isClear = url.protocol === 'smtp:' && !isSet('requireTLS') && !isLoopbackHost(url.hostname)
  if (!isClear || url.password === '') return []
  return [
    'expected smtps:// or ?requireTLS=true, since without them the password is sent in clear where the server offers no TLS',
  ]
}
