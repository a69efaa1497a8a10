import { randomUUID } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { type Bellhop, compose, type Roles } from '../compose.ts'
import { type Config, loadConfig } from '../config.ts'
import { type EmbeddedServer, startEmbedded } from '../database/embedded/embedded.ts'
import { MIGRATIONS, migrate } from '../database/migrations.ts'
import { mintDemoToken } from '../demo.ts'
import { OperatorError } from '../errors.ts'
import { createLog, type Log } from '../log.ts'
import { endNow, untilSignal } from './signals.ts'

/** Connections that the kernel keeps while the process is busy; the kernel has a limit of its own. */
const BACKLOG = 4096
/** In all, from the first signal to the end of the process, in milliseconds. */
const STOP_LIMIT_MS = 9800

/** `bellhop start`, `api` and `worker`: runs until a signal, then stops cleanly. */
export async function serve(command: 'start' | 'api' | 'worker', out: NodeJS.WritableStream): Promise<void> {
  const config = await loadConfig(process.env)
  const { environment } = config
  if (environment.databaseUrl === null && command !== 'start') {
    throw new OperatorError(
      `bellhop ${command} runs beside other processes on one PostgreSQL: set DATABASE_URL, or run bellhop start`,
    )
  }
  const log = createLog({ level: environment.logLevel, pretty: process.stdout.isTTY === true })
  const signal = untilSignal(log)
  const roles: Roles = { api: command !== 'worker', worker: command !== 'api' }
  const embedded =
    environment.databaseUrl === null
      ? await startEmbedded({ dataDir: environment.dataDir, command: 'bellhop start', log })
      : null
  let bellhop: Bellhop | null = null
  try {
    const endpoint = embedded?.endpoint ?? { kind: 'url' as const, url: environment.databaseUrl ?? '' }
    const { applied, version } = await migrate(endpoint, MIGRATIONS)
    if (applied.length > 0) log.info('migrated', { version: String(version), count: applied.length })
    bellhop = await compose({ config, endpoint, roles, log, env: process.env })
    const url = await listen(bellhop, config, roles.api ? 'PORT' : 'WORKER_PORT')
    if (url !== null)
      out.write(roles.api ? await welcome(config, url) : `\nBellhop carries, and is watched at ${url}\n`)
    if (url !== null) log.info('listening', { url })
    if (roles.worker) log.info('carrying')
    await signal
    log.info('stopping')
  } finally {
    await stop(bellhop, embedded, log)
  }
}

async function listen(
  { app, start }: Bellhop,
  { environment }: Config,
  variable: 'PORT' | 'WORKER_PORT',
): Promise<string | null> {
  start()
  if (app === null) return null
  try {
    const wanted = variable === 'PORT' ? environment.port : environment.workerPort
    await app.listen({ host: environment.host, port: wanted ?? 0, backlog: BACKLOG })
  } catch (error) {
    throw listenError(error, variable)
  }
  const { port } = app.server.address() as AddressInfo
  const host = environment.host.includes(':') ? `[${environment.host}]` : environment.host
  const url = `http://${host}:${port}`
  return url
}

function listenError(error: unknown, variable: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : null
  if (code === 'EADDRINUSE') return new OperatorError(`${variable}: another program listens on it already`)
  if (code === 'EACCES') return new OperatorError(`${variable}: this user may not listen on it`)
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return new OperatorError('HOST: expected an address of this machine')
  }
  return error
}

/** Where it is, and for the demo brands a call that works when it is pasted: one line, whatever the shell. */
async function welcome({ environment, demo }: Config, url: string): Promise<string> {
  const ready = `\nBellhop is ready at ${url}\nIts API is described at ${url}/docs\n`
  if (!demo) return `${ready}\n`
  const token = await mintDemoToken(environment, {
    brand: 'acme',
    person: 'per_ada',
    email: 'ada@example.com',
    ttl: '1d',
  })
  const body = JSON.stringify({
    brand_id: 'acme',
    person_id: 'per_ada',
    requester_email: 'ada@example.com',
    requester_name: 'Ada Lovelace',
    subject: 'My order has not arrived',
    body: 'It was due on Monday. Where is it?',
  })
  const headers = [
    `Authorization: Bearer ${token}`,
    'Content-Type: application/json',
    `Idempotency-Key: ${randomUUID()}`,
  ]
  const call = `curl -sS ${url}/v1/support/tickets ${headers.map((header) => `-H '${header}'`).join(' ')} -d '${body}'`
  return `${ready}The demo brands are acme and globex. File a ticket as one of acme's customers:\n\n${call}\n\n`
}

async function stop(bellhop: Bellhop | null, embedded: EmbeddedServer | null, log: Log): Promise<void> {
  let stopped = false
  // It goes on counting when all is stopped: a log that nobody reads keeps a process alive too.
  const limit = setTimeout(() => {
    if (!stopped) log.error('stopped_late')
    endNow(stopped ? 0 : 1)
  }, STOP_LIMIT_MS)
  limit.unref()
  await bellhop?.close()
  await embedded?.stop()
  stopped = true
  log.info('stopped')
}
