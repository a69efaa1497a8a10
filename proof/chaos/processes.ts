import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { isAlive } from '../../server/src/database/embedded/process.ts'

/** How a process ended. */
export type Ended = { status: number | null; signal: NodeJS.Signals | null }

export type LoggedProcess = {
  child: ChildProcess
  pid: number
  /** The file that all it prints goes to. */
  log: string
  ended: Promise<Ended>
  /** Waits for what it prints. @throws where it ends before, or after 30 s */
  printed(pattern: RegExp): Promise<RegExpExecArray>
}

/** Starts a process whose output goes to a file, so that it never waits for us, and ends with nobody's help. */
export function startLogged(
  command: string,
  args: string[],
  options: { cwd: string; env: NodeJS.ProcessEnv; log: string },
): LoggedProcess {
  const output = openSync(options.log, 'a', 0o600)
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env,
    stdio: ['ignore', output, output],
  })
  closeSync(output)
  const ended = once(child, 'exit').then(([status, signal]): Ended => ({ status, signal }))
  // Heard where it is waited for; a program that cannot be started has no pid.
  ended.catch(() => {})
  return {
    child,
    pid: child.pid ?? 0,
    log: options.log,
    ended,
    async printed(pattern) {
      const limit = performance.now() + 30_000
      for (;;) {
        const text = readFileSync(options.log, 'utf8')
        const found = pattern.exec(text)
        if (found !== null) return found
        if (child.exitCode !== null || child.signalCode !== null || performance.now() > limit) {
          throw new Error(`a process did not come up:\n${text.slice(-2000)}`)
        }
        await pause(10)
      }
    },
  }
}

/** Waits for a condition. @throws Error that says what was waited for */
export async function until<T>(
  what: string,
  condition: () => T | undefined | false | null | Promise<T | undefined | false | null>,
  options: { ms?: number; every?: number; signal?: AbortSignal } = {},
): Promise<T> {
  const { ms = 30_000, every = 20, signal } = options
  const limit = performance.now() + ms
  for (;;) {
    signal?.throwIfAborted()
    const result = await condition()
    if (result !== undefined && result !== false && result !== null) return result
    if (performance.now() > limit) throw new Error(`in ${Math.round(ms / 1000)} s not seen: ${what}`)
    await pause(every)
  }
}

/** Signals a process that may have gone meanwhile. */
export function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/** A process and its children, itself first. */
export function familyOf(pid: number): number[] {
  if (!isAlive(pid)) return []
  const children = numbers().filter((other) => parentOf(other) === pid)
  return [pid, ...children]
}

/** The processes that work in a folder or below it, or have it in their environment; zombies are not counted. */
export function processesOf(folder: string): number[] {
  return numbers().filter((pid) => pid !== process.pid && isAlive(pid) && belongsTo(pid, folder))
}

function belongsTo(pid: number, folder: string): boolean {
  try {
    const cwd = readlinkSync(`/proc/${pid}/cwd`)
    if (cwd === folder || cwd.startsWith(`${folder}/`)) return true
    return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(folder)
  } catch {
    return false
  }
}

function numbers(): number[] {
  try {
    return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []))
  } catch {
    return []
  }
}

function parentOf(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The state and the parent follow the name, which may hold anything and ends with the last parenthesis.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return null
  }
}
