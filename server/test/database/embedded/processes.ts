import { type ChildProcess, spawn } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

export type BellhopProcess = {
  child: ChildProcess
  /** Every line it has printed. */
  lines: string[]
  /** Waits for a line that matches, and gives it. */
  line(pattern: RegExp): Promise<string>
  ended: Promise<number | null>
}

/** Starts `bellhop-process.ts` on a folder. */
export function startBellhop(dataDir: string, command = 'bellhop start'): BellhopProcess {
  const script = join(import.meta.dirname, 'bellhop-process.ts')
  const child = spawn(process.execPath, [script, dataDir, command], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  let rest = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    rest += chunk.toString()
    lines.push(...rest.split('\n').slice(0, -1))
    rest = rest.slice(rest.lastIndexOf('\n') + 1)
  })
  const { promise: ended, resolve } = Promise.withResolvers<number | null>()
  child.once('close', (code) => resolve(code))
  return {
    child,
    lines,
    async line(pattern) {
      return await until(() => lines.find((line) => pattern.test(line)))
    },
    ended,
  }
}

/** Waits for a condition, at most 50 s: less than a test has, so that it is seen which one did not come. */
export async function until<T>(
  condition: () => T | undefined | false | null | Promise<T | undefined | false | null>,
): Promise<T> {
  const deadline = performance.now() + 50_000
  for (;;) {
    const result = await condition()
    if (result !== undefined && result !== false && result !== null) return result
    if (performance.now() > deadline) throw new Error('It has not come to that in 50 s')
    await pause(20)
  }
}

/** A process and its children, as /proc tells. */
export async function familyOf(pid: number): Promise<number[]> {
  const family = [pid]
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
    if (parent === pid) family.push(Number(name))
  }
  return family
}
