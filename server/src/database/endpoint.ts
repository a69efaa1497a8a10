import { readDatabaseUrl } from './database-url.ts'
import type { Target } from './target.ts'
import { noTls } from './tls.ts'

/** Where a database is: what DATABASE_URL says, or the embedded server's socket. */
export type DatabaseEndpoint =
  | { kind: 'url'; url: string }
  /** `path` is the socket file itself, of any length. */
  | { kind: 'socket'; path: string; user: string; password: string; database: string }

/**
 * What to dial for an endpoint.
 * @throws OperatorError where a URL is wrong; the message never repeats the URL, which holds the password
 */
export function targetOf(endpoint: DatabaseEndpoint): Target {
  if (endpoint.kind === 'url') return readDatabaseUrl(endpoint.url)
  const { path, user, password, database } = endpoint
  return {
    hosts: [{ kind: 'unix', path }],
    user,
    password,
    database,
    tls: noTls,
    applicationName: null,
    options: null,
    connectTimeout: 5000,
  }
}
