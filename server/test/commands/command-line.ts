import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isAlive } from '../../src/database/embedded/process.ts'
import { until } from '../database/embedded/processes.ts'
import { copyUsedDataDir } from '../database/used-data-dir.ts'
import type { MailDesk } from '../deliveries/mail-desk.ts'
import type { TestIssuer } from '../http/tokens/test-issuer.ts'

const MAIN = join(import.meta.dirname, '../../src/main.ts')
/** As `npm start` and `npx bellhop` have it. */
const COMPILE_CACHE = join(import.meta.dirname, '../../../node_modules/.cache/bellhop')

export type Ended = { status: number | null; signal: NodeJS.Signals | null; out: string; errors: string }

export type Running = {
  child: ChildProcess
  /** What it has written so far. */
  out(): string
  errors(): string
  /** Where it listens, once it does. */
  url(): Promise<string>
  ended: Promise<Ended>
}

/** A folder with a DATA_DIR and what a shell there has set; `stop` ends every process that was started in it. */
export type Shell = {
  dataDir: string
  /** Runs `bellhop …` to its end. */
  run(args: string[], environment?: NodeJS.ProcessEnv): Promise<Ended>
  /** Starts `bellhop …` and does not wait for it. */
  start(args: string[], environment?: NodeJS.ProcessEnv): Running
  /** Starts another program in the same environment. */
  spawn(program: string, args: string[], options?: { cwd?: string; environment?: NodeJS.ProcessEnv }): Running
  /** A brands file of this text. @returns its path */
  writeBrands(text: string): Promise<string>
  /** PostgreSQL's process number; null where there is none. */
  databasePid(): Promise<number | null>
  stop(): Promise<void>
}

/** @param options.used the DATA_DIR is as a first start leaves it; otherwise there is none yet */
export async function openShell(options: { used?: boolean } = {}): Promise<Shell> {
  const folder = await mkdtemp(join(tmpdir(), 'bellhop-test-'))
  const dataDir = join(folder, 'data')
  if (options.used === true) await copyUsedDataDir(dataDir)
  const running = new Set<Running>()
  const { PATH, HOME, TMPDIR } = process.env
  const base = {
    PATH,
    HOME,
    TMPDIR,
    NODE_COMPILE_CACHE: COMPILE_CACHE,
    DATA_DIR: dataDir,
    PORT: '0',
    LOG_LEVEL: 'info',
  }

  const shell: Shell = {
    dataDir,
    spawn(program, args, { cwd = folder, environment = {} } = {}) {
      const child = spawn(program, args, {
        cwd,
        env: { ...base, ...environment },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      const started = watch(child)
      running.add(started)
      void started.ended.then(() => running.delete(started))
      return started
    },
    start: (args, environment = {}) => shell.spawn(process.execPath, [MAIN, ...args], { environment }),
    run: (args, environment) => shell.start(args, environment).ended,
    async writeBrands(text) {
      const path = join(folder, 'brands.yaml')
      await writeFile(path, text)
      return path
    },
    async databasePid() {
      const file = await readFile(join(dataDir, 'cluster/postmaster.pid'), 'utf8').catch(() => '')
      const pid = Number(file.split('\n')[0])
      return pid > 0 && isAlive(pid) ? pid : null
    },
    async stop() {
      for (const { child } of running) child.kill('SIGKILL')
      await Promise.all([...running].map(({ ended }) => ended))
      // One that a killed Bellhop left: an immediate shutdown, since its files go anyway.
      const orphan = await shell.databasePid()
      if (orphan !== null) process.kill(orphan, 'SIGQUIT')
      await until(() => orphan === null || !isAlive(orphan))
      await rm(folder, { recursive: true, force: true })
    },
  }
  return shell
}

function watch(child: ChildProcess): Running {
  let out = ''
  let errors = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    out += chunk
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    errors += chunk
  })
  const ended = once(child, 'close').then(([status, signal]): Ended => ({ status, signal, out, errors }))
  return {
    child,
    out: () => out,
    errors: () => errors,
    ended,
    url: () =>
      until(() => {
        if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${errors}`)
        return /^Bellhop .*(?:ready|watched) at ([^\s,]+),?/m.exec(out)?.[1]
      }),
  }
}

/** A brands file with one brand, `acme`, whose tickets go to this mailbox. */
export function mailBrandsFile(issuer: TestIssuer, { desk }: Pick<MailDesk, 'desk'>, wait: string): string {
  if (desk.connector !== 'smtp') throw new Error('not a mailbox')
  return `issuers:
  - issuer: ${issuer.url}
    audience: bellhop
    jwks_uri: ${issuer.url}/jwks
brands:
  - id: acme
    name: Acme
    issuers: [${issuer.url}]
    wait: ${wait}
    tickets_per_minute: 0
    desk:
      connector: smtp
      url: ${desk.url}
      from: Acme Support <support@acme.example>
      to: helpdesk@acme.example
`
}

/** Files a ticket of `per_ada` for `acme`. */
export async function fileTicket(url: string, token: string, subject = 'My order has not arrived') {
  const response = await fetch(`${url}/v1/support/tickets`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      brand_id: 'acme',
      person_id: 'per_ada',
      requester_email: 'ada@example.com',
      subject,
      body: 'It was due on Monday. Where is it?',
    }),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}
