import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

const ROOT = join(import.meta.dirname, '..')
const READY_LIMIT_MS = 30_000
/** After the signal; Bellhop itself takes at most 10 s. */
const STOP_LIMIT_MS = 20_000

const LISTENING = /"url":"http:\/\/127\.0\.0\.1:(\d+)"/
const CARRYING = /"event":"carrying"/

export type RunningServer = {
  pid: number
  /** 0 for one that does not listen. */
  port: number
  residentMiB(): number
  /** The most that was resident since it started; null where the system does not say. */
  peakMiB(): number | null
  stop(): Promise<void>
}

/** A folder of one's own under the system's temporary one, which is removed after the work. */
export async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'bellhop-proof-'))
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export type BellhopOptions = {
  command?: 'start' | 'api' | 'worker'
  /** Beside DATA_DIR; where it names neither a database nor brands, those are the embedded one and the demo. */
  environment?: Record<string, string>
  /** Options of Node, for example `--cpu-prof`. */
  node?: string[]
}

/** The product as it is started, its log going to a file in the folder. */
export function startBellhop(dataDir: string, options: BellhopOptions = {}): Promise<RunningServer> {
  const { command = 'start', environment = {}, node = [] } = options
  // As `npm start` does it.
  const args = ['--max-semi-space-size=16', ...node, 'server/src/main.ts', command]
  return run(process.execPath, args, dataDir, environment, command === 'worker' ? CARRYING : LISTENING)
}

/** Seconds from `npm start` to the line that says it is ready, on a new DATA_DIR and again on the same. */
export async function timeToReady(dataDir: string): Promise<{ first: number; again: number }> {
  const once = async () => {
    const started = performance.now()
    const server = await run('npm', ['start'], dataDir, {}, LISTENING)
    const seconds = (performance.now() - started) / 1000
    await server.stop()
    return seconds
  }
  return { first: await once(), again: await once() }
}

async function run(
  command: string,
  args: string[],
  dataDir: string,
  environment: Record<string, string>,
  ready: RegExp,
): Promise<RunningServer> {
  const log = join(dataDir, `proof-${process.pid}-${performance.now()}.log`)
  const output = openSync(log, 'w', 0o600)
  const child = spawn(command, args, {
    cwd: ROOT,
    env: {
      ...process.env,
      // As `npm start` has it.
      UV_THREADPOOL_SIZE: '16',
      NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/bellhop'),
      DATA_DIR: dataDir,
      PORT: '0',
      BRANDS_FILE: '',
      DATABASE_URL: '',
      LOG_LEVEL: 'info',
      ...environment,
    },
    stdio: ['ignore', output, output],
  })
  closeSync(output)
  const ended = once(child, 'exit')
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS)
    await ended
    clearTimeout(late)
  }
  try {
    const port = await readyPort(child, log, ready)
    const pid = child.pid ?? 0
    return { pid, port, residentMiB: () => residentOf(pid), peakMiB: () => peakOf(pid), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

function residentOf(pid: number): number {
  const kib = execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })
  return Number(kib) / 1024
}

function peakOf(pid: number): number | null {
  if (process.platform !== 'linux') return null
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

async function readyPort(child: ChildProcess, log: string, ready: RegExp): Promise<number> {
  const limit = performance.now() + READY_LIMIT_MS
  while (performance.now() < limit && child.exitCode === null) {
    const found = ready.exec(readFileSync(log, 'utf8'))
    if (found !== null) return Number(found[1] ?? 0)
    await pause(10)
  }
  throw new Error(`a server did not start:\n${readFileSync(log, 'utf8')}`)
}
