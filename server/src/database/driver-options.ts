import type { Duplex } from 'node:stream'
import type postgres from 'postgres'
import { COLUMN_TYPES, type SessionSettings } from './session.ts'
import type { Target } from './target.ts'

/** The driver's options, two of which its types leave out. */
type DriverOptions = postgres.Options<Record<string, postgres.PostgresType>> & {
  max_pipeline: number
  socket: () => Promise<Duplex>
}

/** Everything is said, since the driver takes what is not from the PG* variables of the environment. */
export function driverOptions(
  target: Target,
  max: number,
  settings: SessionSettings,
  connect: () => Promise<Duplex>,
): DriverOptions {
  return {
    // The connection is made by ours: these two only name it. One host, since the driver swallows errors of
    // connecting where it knows of a second.
    host: 'database',
    port: 5432,
    socket: connect,
    ssl: false,
    target_session_attrs: 'primary',
    user: target.user,
    password: target.password,
    database: target.database,
    max,
    // A statement that waits for a lock holds up no other behind it on the same connection: the pool's gate lets
    // no more in than there are connections. At 0 the driver cannot begin a transaction.
    max_pipeline: 1,
    connect_timeout: target.connectTimeout / 1000,
    idle_timeout: 0,
    // A connection that has carried a leak of the server's for an hour is renewed.
    max_lifetime: 60 * (45 + Math.random() * 30),
    // The waits between attempts to connect are ours, too.
    backoff: () => 0,
    prepare: true,
    fetch_types: false,
    debug: false,
    types: COLUMN_TYPES,
    connection: target.options === null ? settings : { ...settings, options: target.options },
    onnotice: () => {},
  }
}
