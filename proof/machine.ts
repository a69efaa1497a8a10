import { execFileSync } from 'node:child_process'
import { cpus, release, totalmem, type } from 'node:os'
import { join } from 'node:path'
import { VERSION } from '../server/src/version.ts'

/** On what figures were taken, and of which program. */
export type Provenance = {
  /** RFC 3339, in UTC. */
  at: string
  /** The commit, with `+` where files had been changed since. */
  commit: string
  bellhop: string
  node: string
  postgresql: string
  system: string
  machine: string
}

/** @param postgresql its version as the server says it, for example `18.4` */
export function provenance(postgresql: string): Provenance {
  const [cpu] = cpus()
  return {
    at: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
    commit: commit(),
    bellhop: VERSION,
    node: process.version.slice(1),
    postgresql,
    system: `${type()} ${release()} ${process.arch}`,
    machine: `${cpus().length} × ${cpu?.model.trim() ?? 'unknown'}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
  }
}

/** An archive of the source has no history: then the version alone tells. */
function commit(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, {
      cwd: join(import.meta.dirname, '..'),
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  try {
    const changed = git('status', '--porcelain', '--', '.', ':!docs').trim() !== ''
    return `${git('rev-parse', '--short=10', 'HEAD').trim()}${changed ? '+' : ''}`
  } catch {
    return 'unknown'
  }
}
