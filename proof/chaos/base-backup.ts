import {
  chown,
  lchown,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { openDatabase } from '../../server/src/database/pool.ts'
import { PostgresCluster } from './postgres.ts'

/** What a copy does without (PostgreSQL manual, 25.3.4.3): what belongs to one running server, and the log. */
const LEFT_OUT = [
  'postmaster.pid',
  'postmaster.opts',
  'pg_internal.init',
  'backup_label',
  'standby.signal',
  'promote',
]
const EMPTY = [
  'pg_wal',
  'pg_replslot',
  'pg_dynshmem',
  'pg_notify',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
]

/**
 * Copies a running cluster while it takes writes, by the low-level API (PostgreSQL manual, 25.3.4): what the log
 * holds from the start of the copy to its end makes it whole. The primary must still have that log when the copy
 * first follows it (`wal_keep_size`).
 * @returns the copy on a port of its own, not running
 */
export async function copyRunning(
  primary: PostgresCluster,
  home: string,
  settings: Record<string, string>,
): Promise<PostgresCluster> {
  const copy = await PostgresCluster.adopt(home, settings)
  const pool = openDatabase(
    { kind: 'url', url: primary.url },
    { max: 1, applicationName: 'base backup', statementTimeout: 60_000 },
  )
  // The session that begins it must end it. The driver reserves none that it has not opened.
  await pool.sql`select`
  const session = await pool.sql.reserve()
  try {
    await session`select pg_backup_start('chaos', fast => true)`
    await mkdir(home, { recursive: true, mode: 0o700 })
    await copyFolder(primary.folder, copy.folder)
    const [label] = await session<{ labelfile: string }[]>`
      select labelfile from pg_backup_stop(wait_for_archive => false)`
    if (label === undefined) throw new Error('the copy has no label')
    await writeOwned(join(copy.folder, 'backup_label'), label.labelfile, copy.folder)
  } finally {
    session.release()
    await pool.close()
  }
  return copy
}

/** Makes a file that belongs to whom the folder does. */
export async function writeOwned(path: string, text: string, folder: string): Promise<void> {
  const { uid, gid } = await lstat(folder)
  await writeFile(path, text, { mode: 0o600 })
  await chown(path, uid, gid)
}

/** Files may change and go while they are copied. */
async function copyFolder(from: string, to: string): Promise<void> {
  const { mode, uid, gid } = await lstat(from)
  await mkdir(to, { mode })
  await chown(to, uid, gid)
  for (const name of await readdir(from)) {
    if (LEFT_OUT.includes(name) || name.startsWith('pgsql_tmp')) continue
    await copyOne(join(from, name), join(to, name), EMPTY.includes(name)).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    })
  }
}

async function copyOne(from: string, to: string, emptied: boolean): Promise<void> {
  const found = await lstat(from)
  const { mode, uid, gid } = found
  if (found.isDirectory() && !emptied) return copyFolder(from, to)
  if (found.isDirectory()) await mkdir(to, { mode })
  else if (found.isSymbolicLink()) await symlink(await readlink(from), to)
  // A socket or a pipe is the running server's.
  else if (!found.isFile()) return
  else await writeFile(to, await readFile(from), { mode })
  await lchown(to, uid, gid)
}
