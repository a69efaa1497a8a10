import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Ended, type LoggedProcess, startLogged } from './processes.ts'

const ROOT = join(import.meta.dirname, '../..')

export type InstallationOptions = {
  /** Of the row: for DATA_DIR and the logs. */
  folder: string
  brandsFile: string
  /** DATABASE_URL; null: the embedded database in DATA_DIR. */
  databaseUrl: string | null
  /** Further variables. */
  environment?: Record<string, string>
  /** Where the program lies, which is this one unless told. */
  root?: string
}

export type StartOptions = {
  environment?: Record<string, string>
  /** Another program than Bellhop's own, which prints the same: see crashing.ts. */
  script?: string
  args?: string[]
}

/** The real program, started as its operator starts it, as often as a row wants. */
export class Installation {
  readonly dataDir: string
  readonly #options: InstallationOptions
  readonly #processes = new Set<BellhopProcess>()
  #started = 0

  constructor(options: InstallationOptions) {
    this.#options = options
    this.dataDir = join(options.folder, 'data')
  }

  get brandsFile(): string {
    return this.#options.brandsFile
  }

  /** Those that run. */
  get running(): BellhopProcess[] {
    return [...this.#processes]
  }

  /** Starts it and returns at once. */
  spawn(command: 'start' | 'api' | 'worker' = 'start', options: StartOptions = {}): BellhopProcess {
    const started = new BellhopProcess(
      this.#run(options.script, options.args ?? [command], options.environment),
    )
    this.#processes.add(started)
    void started.ended.finally(() => this.#processes.delete(started)).catch(() => {})
    return started
  }

  /** Starts it and waits until it answers, or for a worker, until it carries. */
  async start(
    command: 'start' | 'api' | 'worker' = 'start',
    options: StartOptions = {},
  ): Promise<BellhopProcess> {
    const started = this.spawn(command, options)
    await started.ready()
    return started
  }

  /** Runs another command to its end, for example `doctor --deep`. @returns what it printed too */
  async run(...args: string[]): Promise<Ended & { output: string }> {
    const { ended, log } = this.#run(undefined, args)
    return { ...(await ended), output: readFileSync(log, 'utf8') }
  }

  /** Ends what still runs, gently first. */
  async close(): Promise<void> {
    await Promise.all(this.running.map((one) => one.stop()))
  }

  #run(
    script = 'server/src/main.ts',
    args: string[],
    environment: Record<string, string> = {},
  ): LoggedProcess {
    const { folder, brandsFile, databaseUrl, root = ROOT } = this.#options
    const log = join(folder, `bellhop-${++this.#started}.log`)
    return startLogged(process.execPath, [join(root, script), ...args], {
      cwd: folder,
      env: {
        ...process.env,
        // As `npm start` has it.
        NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/bellhop'),
        DATA_DIR: this.dataDir,
        PORT: '0',
        BRANDS_FILE: brandsFile,
        DATABASE_URL: databaseUrl ?? '',
        LOG_LEVEL: 'info',
        ...this.#options.environment,
        ...environment,
      },
      log,
    })
  }
}

/** One process of Bellhop. */
export class BellhopProcess {
  readonly pid: number
  /** The file of its log lines. */
  readonly log: string
  readonly ended: Promise<Ended>
  readonly #process: LoggedProcess
  #port: number | null = null
  #isOver = false

  constructor(started: LoggedProcess) {
    this.#process = started
    this.pid = started.pid
    this.log = started.log
    this.ended = started.ended.finally(() => {
      this.#isOver = true
    })
    this.ended.catch(() => {})
  }

  get isRunning(): boolean {
    return !this.#isOver
  }

  /** Where it answers; null until it does, and once it has ended. */
  get port(): number | null {
    return this.#isOver ? null : this.#port
  }

  /** Until it answers, or for a worker, until it carries. @throws where it ends before */
  async ready(): Promise<void> {
    const [, port] = await this.#process.printed(/"url":"http:\/\/127\.0\.0\.1:(\d+)"|"event":"carrying"/)
    this.#port = port === undefined ? null : Number(port)
  }

  /** `kill -9`. */
  async kill(): Promise<Ended> {
    this.#process.child.kill('SIGKILL')
    return this.ended
  }

  /** SIGTERM. @returns how it ended, and after how many milliseconds */
  async stop(): Promise<Ended & { ms: number }> {
    const since = performance.now()
    this.#process.child.kill('SIGTERM')
    return { ...(await this.ended), ms: performance.now() - since }
  }

  residentMiB(): number {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1]) / 1024
  }
}
