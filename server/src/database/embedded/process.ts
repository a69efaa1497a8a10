import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

/**
 * Whether a process of that number runs, whoever owns it. One that has ended and that nobody has asked after
 * is not alive: in a container without an init, nobody ever asks after an orphan.
 */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false
  }
  return process.platform !== 'linux' || !isZombie(pid)
}

function isZombie(pid: number): boolean {
  try {
    // The state follows the name, which may hold anything and is closed by the last parenthesis.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z')
  } catch {
    return true
  }
}

/** What is tried to end a server, each for so many milliseconds (PostgreSQL manual, 18.5). */
const WAYS: [NodeJS.Signals, number][] = [
  // Fast: sessions are ended, a last checkpoint is made.
  ['SIGINT', 10_000],
  // Immediate: the next start recovers from the log.
  ['SIGQUIT', 5000],
  ['SIGKILL', 5000],
]

/** Ends a server, gently first. One that is paused is woken, since it would not hear anything else. */
export async function endServer(pid: number, ended: () => boolean): Promise<void> {
  for (const [signal, patience] of WAYS) {
    if (ended()) return
    signalTo(pid, signal)
    signalTo(pid, 'SIGCONT')
    const deadline = performance.now() + patience
    while (!ended() && performance.now() < deadline) await pause(10)
  }
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has gone meanwhile.
  }
}
