import { readFileSync } from 'node:fs'
import { getCACertificates } from 'node:tls'
import { OperatorError } from '../errors.ts'
import type { Host, Target } from './target.ts'
import type { TlsPolicy } from './tls.ts'

/**
 * Reads a connection URI as libpq does (PostgreSQL manual, 32.1.1.2): several hosts, IPv6, socket folders,
 * percent-encoding, and the parameters that make sense for Bellhop.
 * @throws OperatorError that names what is wrong and never repeats the URL, which holds the password
 */
export function readDatabaseUrl(url: string): Target {
  const match = /^postgres(?:ql)?:\/\/(?:([^@/?#]*)@)?([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/.exec(url)
  if (match === null) throw wrong('expected postgres://user:password@host:5432/database')
  const [, login = '', authority = '', path = '', query = ''] = match
  const parameters = readParameters(query)
  const colon = login.indexOf(':')
  const user = parameters.get('user') ?? decode(colon === -1 ? login : login.slice(0, colon), 'user')
  const password =
    parameters.get('password') ?? (colon === -1 ? '' : decode(login.slice(colon + 1), 'password'))
  if (user === '') throw wrong('expected a user before the host')
  const database = parameters.get('dbname') ?? decode(path, 'database')
  const hosts = readHosts(authority, parameters)
  checkSessionAttributes(parameters.get('target_session_attrs'), hosts.length)
  return {
    hosts,
    user,
    password,
    database: database === '' ? user : database,
    tls: readTls(parameters),
    applicationName: parameters.get('application_name') ?? null,
    options: parameters.get('options') ?? null,
    connectTimeout: readConnectTimeout(parameters.get('connect_timeout')),
  }
}

const PARAMETERS = new Set([
  'host',
  'port',
  'user',
  'password',
  'dbname',
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'target_session_attrs',
  'application_name',
  'options',
  'connect_timeout',
])

/** Parameters that change nothing where they have these values, and cannot be met where they have others. */
const HARMLESS = new Map([
  ['channel_binding', ['disable', 'prefer']],
  ['client_encoding', ['utf8', 'utf-8', 'auto']],
  ['gssencmode', ['disable', 'prefer']],
  ['sslnegotiation', ['postgres']],
  ['load_balance_hosts', ['disable']],
])

function readParameters(query: string): Map<string, string> {
  const parameters = new Map<string, string>()
  for (const pair of query.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decode(equals === -1 ? pair : pair.slice(0, equals), 'a parameter')
    const value = equals === -1 ? '' : decode(pair.slice(equals + 1), name)
    const harmless = HARMLESS.get(name)
    if (harmless !== undefined) {
      if (!harmless.includes(value.toLowerCase())) {
        throw wrong(`${printable(name)}: expected ${harmless.join(' or ')}, or nothing`)
      }
    } else if (PARAMETERS.has(name)) {
      parameters.set(name, value)
    } else {
      throw wrong(`${printable(name)}: unknown parameter; expected one of ${[...PARAMETERS].join(', ')}`)
    }
  }
  return parameters
}

function readHosts(authority: string, parameters: Map<string, string>): Host[] {
  const named = parameters.get('host')
  const ports = parameters.get('port')?.split(',') ?? []
  const places =
    named === undefined
      ? authority.split(',').map(splitAuthority)
      : named.split(',').map((host) => ({ host, port: '' }))
  return places.map(({ host, port }, index): Host => {
    const number = readPort(port || (ports.length === 1 ? ports[0] : ports[index]) || '5432')
    if (host === '') throw wrong('expected a host')
    if (host.startsWith('/')) return { kind: 'unix', path: `${host}/.s.PGSQL.${number}` }
    return { kind: 'tcp', host, port: number }
  })
}

function splitAuthority(place: string): { host: string; port: string } {
  const match = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^[\]:]*))(?::(\d*))?$/.exec(place)
  if (match === null) throw wrong('expected hosts as host:port, IPv6 addresses in brackets')
  return { host: decode(match[1] ?? match[2] ?? '', 'host'), port: match[3] ?? '' }
}

function readPort(text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port < 1 || port > 65535) throw wrong('port: expected 1 to 65535')
  return port
}

/** Bellhop writes, so only a primary serves it; `read-write` is how most URLs say so. */
function checkSessionAttributes(value: string | undefined, hosts: number): void {
  if (value === undefined || value === 'primary' || value === 'read-write') return
  if (value === 'any' && hosts === 1) return
  throw wrong('target_session_attrs: expected primary or read-write')
}

function readConnectTimeout(value: string | undefined): number {
  if (value === undefined) return 5000
  if (!/^\d{1,3}$/.test(value) || Number(value) < 1 || Number(value) > 60) {
    throw wrong('connect_timeout: expected 1 to 60 seconds')
  }
  return Number(value) * 1000
}

const SSL_MODES = new Map<string, Pick<TlsPolicy, 'mode' | 'verify'>>([
  ['disable', { mode: 'disable', verify: 'nothing' }],
  ['prefer', { mode: 'prefer', verify: 'nothing' }],
  ['require', { mode: 'require', verify: 'nothing' }],
  ['verify-ca', { mode: 'require', verify: 'chain' }],
  ['verify-full', { mode: 'require', verify: 'chain and name' }],
])

/** As libpq reads them, save that without `sslrootcert` a verified mode trusts the roots that Node comes with. */
function readTls(parameters: Map<string, string>): TlsPolicy {
  const root = parameters.get('sslrootcert')
  const named = parameters.get('sslmode')
  const policy = SSL_MODES.get(named ?? (root === 'system' ? 'verify-full' : 'prefer'))
  if (policy === undefined) throw wrong(`sslmode: expected ${[...SSL_MODES.keys()].join(', ')}`)
  if (root === 'system' && policy.verify !== 'chain and name') {
    throw wrong('sslmode: expected verify-full with sslrootcert=system')
  }
  // libpq, for the sake of old URLs: `require` with a root certificate is `verify-ca`.
  const verify =
    root !== undefined && policy.mode === 'require' && policy.verify === 'nothing' ? 'chain' : policy.verify
  const cert = readCertificate('sslcert', parameters.get('sslcert'))
  const key = readCertificate('sslkey', parameters.get('sslkey'))
  return {
    mode: policy.mode,
    verify,
    credentials: {
      ...(root === undefined ? {} : { ca: root === 'system' ? systemRoots() : readRoot(root) }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    },
  }
}

function systemRoots(): string[] {
  return [...getCACertificates('default'), ...getCACertificates('system')]
}

function readRoot(path: string): Buffer {
  return readCertificate('sslrootcert', path) ?? Buffer.alloc(0)
}

function readCertificate(name: string, path: string | undefined): Buffer | undefined {
  if (path === undefined) return undefined
  try {
    return readFileSync(path)
  } catch {
    throw wrong(`${name}: expected a file that can be read`)
  }
}

function decode(text: string, what: string): string {
  try {
    const decoded = decodeURIComponent(text)
    if (!decoded.includes('\0')) return decoded
  } catch {
    // Told below, without the text.
  }
  throw wrong(`${printable(what)}: expected percent-encoding as RFC 3986 has it`)
}

function printable(name: string): string {
  return /^[\w-]{1,40}$/.test(name) ? name : 'a parameter'
}

function wrong(what: string): OperatorError {
  return new OperatorError(`DATABASE_URL: ${what}`)
}
