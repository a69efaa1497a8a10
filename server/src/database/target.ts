import type { TlsPolicy } from './tls.ts'

export type Host = { kind: 'tcp'; host: string; port: number } | { kind: 'unix'; path: string }

/** What a DATABASE_URL or an embedded server comes to: all that is needed to open a session. */
export type Target = {
  /** At least one; of several, the one that is the primary is used. */
  hosts: Host[]
  user: string
  password: string
  database: string
  tls: TlsPolicy
  /** As the operator named it in the URL; null: as the program names itself. */
  applicationName: string | null
  /** libpq's `options`: settings for the session, such as `-c search_path=desk`. */
  options: string | null
  /** Milliseconds. */
  connectTimeout: number
}
