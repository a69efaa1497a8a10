import type { Socket } from 'node:net'
import { isIP } from 'node:net'
import { type ConnectionOptions, checkServerIdentity, connect } from 'node:tls'
import { connectionError } from './database-error.ts'

/**
 * How a session is encrypted, in libpq's words (PostgreSQL manual, 32.19): `prefer` encrypts where the
 * server can, `require` insists; whether the certificate is verified is said apart, since libpq's `require`
 * does not verify it unless a root certificate is given.
 */
export type TlsPolicy = {
  mode: 'disable' | 'prefer' | 'require'
  verify: 'nothing' | 'chain' | 'chain and name'
  /** Root certificates to trust (null: those of Node), and a client certificate. */
  credentials: Pick<ConnectionOptions, 'ca' | 'cert' | 'key'>
}

export const noTls: TlsPolicy = { mode: 'disable', verify: 'nothing', credentials: {} }

/** SSLRequest (PostgreSQL manual, 54.7): length 8, code 80877103. */
export const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])

/** Turns a fresh connection into an encrypted one, or gives it back as it is where the policy allows that. */
export async function startTls(socket: Socket, host: string, policy: TlsPolicy): Promise<Socket> {
  if (policy.mode === 'disable') return socket
  const answer = await askForTls(socket)
  if (answer === 'N' && policy.mode === 'prefer') return socket
  if (answer !== 'S') throw connectionError('TLS_REFUSED', 'The database server does not offer TLS')

  const secure = connect({
    ...policy.credentials,
    socket,
    rejectUnauthorized: policy.verify !== 'nothing',
    // SNI holds names only (RFC 6066, section 3). Node falls back to `localhost` where it is absent, so the
    // name to verify is given by hand.
    ...(isIP(host) === 0 ? { servername: host } : {}),
    checkServerIdentity: (_name, certificate) =>
      policy.verify === 'chain and name' ? checkServerIdentity(host, certificate) : undefined,
  })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  secure.once('secureConnect', resolve)
  secure.once('error', reject)
  secure.once('close', () => reject(connectionError('CONNECTION_CLOSED', 'TLS was not established')))
  await promise
  secure.off('error', reject)
  return secure
}

/** The server's one-byte answer to SSLRequest. */
export async function askForTls(socket: Socket): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const onClose = () => reject(connectionError('CONNECTION_CLOSED', 'The database server hung up'))
  socket.once('data', resolve)
  socket.once('error', reject)
  socket.once('close', onClose)
  socket.write(SSL_REQUEST)
  try {
    const answer = await promise
    // More than the one byte would be plain text that somebody slipped in before the handshake
    // (CVE-2021-23222).
    if (answer.length !== 1) throw connectionError('TLS_REFUSED', 'The database server answered TLS wrongly')
    return answer.toString('latin1')
  } finally {
    socket.pause()
    socket.off('data', resolve)
    socket.off('error', reject)
    socket.off('close', onClose)
  }
}
