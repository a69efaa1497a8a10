import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { DATABASE, layoutOf, ROLE, SOCKET_FILE } from '../server/src/database/embedded/layout.ts'
import { DEMO_AUDIENCE, DEMO_ISSUER } from '../server/src/demo.ts'
import { readOrMakeDemoKey } from '../server/src/demo-key.ts'

const ROOT = join(import.meta.dirname, '..')
const READY_LIMIT_MS = 30_000

export type RunningServer = { port: number; residentMiB(): number; stop(): Promise<void> }

export async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'bellhop-bench-'))
  try {
    await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The product as it is started, its log going to a file. */
export function startBellhop(dataDir: string, profile: string[] = []): Promise<RunningServer> {
  return run(
    process.execPath,
    [...profile, 'server/src/main.ts', 'start'],
    dataDir,
    /"url":"http:\/\/127\.0\.0\.1:(\d+)"/,
  )
}

/** See floor.ts. */
export async function startFloor(dataDir: string): Promise<RunningServer> {
  const layout = layoutOf(dataDir)
  const { publicKey } = await readOrMakeDemoKey(dataDir)
  const settings = {
    jwks: { keys: [publicKey] },
    issuer: DEMO_ISSUER,
    audience: DEMO_AUDIENCE,
    path: join(layout.cluster, SOCKET_FILE),
    user: ROLE,
    password: readFileSync(layout.password, 'utf8').trim(),
    database: DATABASE,
  }
  const file = join(dataDir, 'floor.json')
  writeFileSync(file, JSON.stringify(settings), { mode: 0o600 })
  return run(process.execPath, ['bench/floor.ts', file], dataDir, /listening (\d+)/)
}

/** Seconds from `npm start` to the line that says it is ready, on a new DATA_DIR and again on the same. */
export async function timeToReady(dataDir: string): Promise<{ first: number; again: number }> {
  const once = async () => {
    const started = performance.now()
    const server = await run('npm', ['start'], dataDir, /"url":"http:\/\/127\.0\.0\.1:(\d+)"/)
    const seconds = (performance.now() - started) / 1000
    await server.stop()
    return seconds
  }
  return { first: await once(), again: await once() }
}

async function run(command: string, args: string[], dataDir: string, ready: RegExp): Promise<RunningServer> {
  const log = join(dataDir, `bench-${performance.now()}.log`)
  const output = openSync(log, 'w', 0o600)
  const child = spawn(command, args, {
    cwd: ROOT,
    env: {
      ...process.env,
      // As `npm start` has it.
      NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/bellhop'),
      DATA_DIR: dataDir,
      PORT: '0',
      BRANDS_FILE: '',
      DATABASE_URL: '',
      LOG_LEVEL: 'info',
    },
    stdio: ['ignore', output, output],
  })
  closeSync(output)
  const port = await readyPort(child, log, ready)
  return {
    port,
    residentMiB: () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024,
    async stop() {
      if (child.exitCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
    },
  }
}

async function readyPort(child: ChildProcess, log: string, ready: RegExp): Promise<number> {
  const limit = performance.now() + READY_LIMIT_MS
  while (performance.now() < limit && child.exitCode === null) {
    const port = ready.exec(readFileSync(log, 'utf8'))?.[1]
    if (port !== undefined) return Number(port)
    await pause(10)
  }
  throw new Error(`a server did not start:\n${readFileSync(log, 'utf8')}`)
}
