import type { Log } from '../log.ts'
import type { BackupFolder } from './backup-folder.ts'

/** Milliseconds between looks whether a backup is due; the first comes sooner. */
const LOOK_MS = 60_000
const FIRST_LOOK_MS = 5000
/** The longest pause after failures, which double it. */
const LONGEST_PAUSE_MS = 60 * 60_000

export type ScheduledBackup = { bytes: number; missing: number }

/** `incomplete`: all but attachments that are missing or damaged. */
export type BackupEnd = { outcome: 'made' | 'incomplete' | 'failed'; seconds: number; bytes: number | null }

export type BackupScheduleDeps = {
  folder: BackupFolder
  /** Milliseconds from the beginning of one backup to that of the next. */
  every: number
  /** How many are kept. */
  keep: number
  write(file: string, signal: AbortSignal): Promise<ScheduledBackup>
  /** Does the work where no other process is at it. @returns whether it was done */
  alone(work: () => Promise<void>): Promise<boolean>
  observe(end: BackupEnd): void
  log: Log
  random: () => number
  /** Epoch milliseconds. */
  now: () => number
  /** Milliseconds between looks; a minute unless told. */
  look?: number | undefined
}

/**
 * Makes a backup whenever the newest one in the folder is old enough: one that was missed while nothing ran is made
 * soon after the start, and of several workers one makes it.
 */
export class BackupSchedule {
  readonly #deps: BackupScheduleDeps
  readonly #stopping = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> = Promise.resolve()
  #failures = 0
  #newest: Date | null | undefined

  constructor(deps: BackupScheduleDeps) {
    this.#deps = deps
  }

  /**
   * Seconds since the newest complete backup was begun, as the last look found it. Infinite where there is none, or the
   * folder cannot be read; null before the first look.
   */
  get age(): number | null {
    if (this.#newest === undefined) return null
    return this.#newest === null ? Infinity : Math.max(0, this.#deps.now() - this.#newest.getTime()) / 1000
  }

  start(): void {
    this.#schedule(Math.min(FIRST_LOOK_MS, this.#deps.look ?? LOOK_MS))
  }

  /** Ends a backup that is being made: what it has written goes. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    clearTimeout(this.#timer)
    await this.#running
  }

  #schedule(ms: number): void {
    if (this.#stopping.signal.aborted) return
    this.#timer = setTimeout(
      () => {
        this.#running = this.#round().then(() => this.#schedule(this.#pause()))
      },
      ms * (0.8 + 0.4 * this.#deps.random()),
    )
    this.#timer.unref()
  }

  #pause(): number {
    const { look = LOOK_MS, every } = this.#deps
    return Math.max(look, Math.min(look * 2 ** (this.#failures - 1), every, LONGEST_PAUSE_MS))
  }

  async #round(): Promise<void> {
    const { folder, alone, now, log, observe } = this.#deps
    const started = performance.now()
    try {
      await folder.make()
      const isDue = await this.#isDue()
      if (isDue || (await folder.abandoned(now())).length > 0) {
        await alone(async () => {
          const swept = await folder.sweep(now())
          if (swept > 0) log.info('unfinished_backups_swept', { count: swept })
          // Looked at again when alone: another process may have made it meanwhile.
          if (await this.#isDue()) await this.#make()
        })
      }
      this.#failures = 0
    } catch (error) {
      if (this.#stopping.signal.aborted) return
      this.#failures++
      log.fault('backup_failed', error, { code: codeOf(error) })
      observe({ outcome: 'failed', seconds: (performance.now() - started) / 1000, bytes: null })
    }
  }

  /** An incomplete one counts here: what it lacks comes back by an operator, and not by trying again at once. */
  async #isDue(): Promise<boolean> {
    const { folder, now, every } = this.#deps
    const { any, complete } = await folder.newest(now()).catch((error: unknown) => {
      this.#newest = null
      throw error
    })
    this.#newest = complete?.at ?? null
    return any === null || now() - any.at.getTime() >= every
  }

  async #make(): Promise<void> {
    const { folder, write, keep, now, log, observe } = this.#deps
    const started = performance.now()
    const at = now()
    const { bytes, missing } = await write(folder.fileAt(at), this.#stopping.signal)
    const ms = Math.round(performance.now() - started)
    if (missing === 0) {
      await folder.complete(at)
      this.#newest = new Date(at)
    }
    const outcome = missing > 0 ? 'incomplete' : 'made'
    observe({ outcome, seconds: ms / 1000, bytes })
    if (missing > 0) log.error('backup_incomplete', { count: missing, bytes, ms })
    else log.info('backup_made', { bytes, ms })
    // As of when it was begun, so that whatever the clock does it is among those that stay.
    const removed = await folder.prune(keep, at)
    if (removed > 0) log.info('backups_removed', { count: removed })
  }
}

/** The first code that an error or what caused it has. */
function codeOf(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string') return at.code
  }
  return error instanceof Error ? error.name : 'unknown'
}
