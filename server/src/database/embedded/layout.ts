import { join, resolve } from 'node:path'

/** Where the embedded database's things are inside DATA_DIR. */
export type Layout = {
  dataDir: string
  /** PostgreSQL's own folder; there only once it is whole. */
  cluster: string
  /** The generated password, mode 0600. */
  password: string
  /** What PostgreSQL says of itself; holds no statement and no row. */
  log: string
  /** Locked by whoever runs the database. */
  lock: string
  /** Says who that is, for those who are refused. */
  holder: string
}

export function layoutOf(dataDir: string): Layout {
  const folder = resolve(dataDir)
  return {
    dataDir: folder,
    cluster: join(folder, 'cluster'),
    password: join(folder, 'database-password'),
    log: join(folder, 'postgresql.log'),
    lock: join(folder, 'holder.lock'),
    holder: join(folder, 'holder'),
  }
}

/** The role and the database that Bellhop uses on the embedded server. */
export const ROLE = 'bellhop'
export const DATABASE = 'bellhop'

/** A name of the socket file: no TCP port is opened. */
export const SOCKET_FILE = '.s.PGSQL.5432'
