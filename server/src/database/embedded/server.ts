import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { Log } from '../../log.ts'
import type { Binaries } from './binaries.ts'
import { dataFolder } from './cluster.ts'
import { ENVIRONMENT } from './command.ts'
import type { Layout } from './layout.ts'
import { endServer } from './process.ts'
import { boundLog, openLog } from './server-log.ts'
import type { ServerUser } from './server-user.ts'
import { readPidFile, socketSetting } from './socket.ts'

/** What the supervisor says of the server: one line each time. */
export type SupervisorLog = Pick<Log, 'info' | 'warn'>

export type Server = {
  /** Null while it is down. */
  pid(): number | null
  /** The folder of its socket, as its pid file names it. */
  socketFolder(): string
  stop(): Promise<void>
}

/** One life of the server, from when it takes sessions; in an object, since a promise of a promise is one. */
type Life = { ended: Promise<void> }

/** Settings that keep the promise; given on the command line, they go before those of every file. */
const SETTINGS: Record<string, string> = {
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  listen_addresses: '',
  port: '5432',
  unix_socket_permissions: '0700',
  password_encryption: 'scram-sha-256',
  // After the crash of one session the server ends as a whole, and we start it again: one way back for every
  // kind of death. Left to itself, PostgreSQL 18 hangs when it is told to stop while it starts itself again.
  restart_after_crash: 'off',
  // Neither statements nor the rows in an error's text may reach the log: only what the server says of itself.
  log_destination: 'stderr',
  logging_collector: 'off',
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_statement: 'none',
  log_min_duration_statement: '-1',
  log_parameter_max_length: '0',
  log_parameter_max_length_on_error: '0',
  log_checkpoints: 'off',
  log_autovacuum_min_duration: '-1',
  log_line_prefix: '%m [%p] ',
  log_timezone: 'UTC',
}

/** Milliseconds between looks at the size of PostgreSQL's log. */
const LOG_INTERVAL = 60_000

/** How long a start may take, in milliseconds: recovery after a crash reads the whole log again. */
const START_PATIENCE = 10 * 60_000

/** Attempts of the first start; a server that was just killed may still hold its shared memory. */
const FIRST_ATTEMPTS = 5

/** Milliseconds after which a life counts as good, and the next start is soon. */
const LONG_LIFE = 10_000

/** Milliseconds before the nth attempt to start it again: 0.1 s at first, never more than 5 s. */
function backOff(failures: number): number {
  return Math.min(100 * 2 ** failures, 5000)
}

/**
 * Runs PostgreSQL and starts it again whenever it dies, until it is stopped.
 * @param extra settings beyond ours, for tests that need no durability
 * @throws Error where it does not come up at all
 */
export async function runServer(
  layout: Layout,
  binaries: Binaries,
  user: ServerUser,
  log: SupervisorLog,
  extra: Record<string, string>,
): Promise<Server> {
  const stopping = new AbortController()
  let child: ChildProcess | null = null
  let socketFolder = ''

  /** Resolves when the server takes sessions. */
  async function launch(): Promise<Life> {
    const started = spawnServer(layout, binaries, user, extra)
    child = started
    const { promise: ended, resolve } = Promise.withResolvers<void>()
    started.once('error', () => resolve())
    started.once('exit', () => resolve())
    ended.then(() => {
      child = null
    })
    const deadline = performance.now() + START_PATIENCE
    while (child === started && performance.now() < deadline) {
      const file = await readPidFile(layout.cluster)
      if (file?.ready === true && file.pid === started.pid) {
        socketFolder = file.socketFolder
        return { ended }
      }
      await pause(10)
    }
    if (child === started && started.pid !== undefined) await endServer(started.pid, () => child !== started)
    throw new Error('PostgreSQL did not come up')
  }

  async function launchFirst(): Promise<Life> {
    for (let failures = 0; ; failures++) {
      try {
        return await launch()
      } catch (error) {
        if (failures + 1 >= FIRST_ATTEMPTS) throw error
        await pause(backOff(failures))
      }
    }
  }

  async function keepUp(first: Life): Promise<void> {
    let life: Life | null = first
    let failures = 0
    while (!stopping.signal.aborted) {
      const since = performance.now()
      await life?.ended
      if (stopping.signal.aborted) return
      if (life !== null && performance.now() - since > LONG_LIFE) failures = 0
      const wait = backOff(failures++)
      log.warn(life === null ? 'database_not_started' : 'database_died', { ms: wait })
      await pause(wait, undefined, { signal: stopping.signal }).catch(() => {})
      if (stopping.signal.aborted) return
      life = await launch().catch(() => null)
      if (life !== null) log.info('database_back', { pid: pidOf(child) ?? 0 })
    }
  }

  const kept = keepUp(await launchFirst())
  const bounding = setInterval(() => boundLog(layout.log), LOG_INTERVAL)
  let stopped: Promise<void> | null = null
  return {
    pid: () => pidOf(child),
    socketFolder: () => socketFolder,
    stop() {
      stopped ??= (async () => {
        stopping.abort()
        const pid = pidOf(child)
        if (pid !== null) await endServer(pid, () => child === null)
        await kept
        clearInterval(bounding)
      })()
      return stopped
    },
  }
}

/**
 * Its own process group, so that Ctrl-C in a terminal does not reach it before Bellhop has drained; its
 * messages go to a file and not through us, so that it outlives us and never waits for us.
 */
function spawnServer(
  layout: Layout,
  binaries: Binaries,
  user: ServerUser,
  extra: Record<string, string>,
): ChildProcess {
  const settings = { ...SETTINGS, unix_socket_directories: socketSetting(layout.cluster), ...extra }
  const output = openLog(layout.log)
  try {
    return spawn(
      binaries.postgres,
      [
        '-D',
        dataFolder(layout.cluster),
        ...Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]),
      ],
      { ...user, cwd: layout.cluster, env: ENVIRONMENT, detached: true, stdio: ['ignore', output, output] },
    )
  } finally {
    closeSync(output)
  }
}

function pidOf(child: ChildProcess | null): number | null {
  return child?.pid ?? null
}
