import { mkdirSync, rmSync, statSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { OperatorError } from '../../errors.ts'
import type { Layout } from './layout.ts'
import { isAlive } from './process.ts'

export type Hold = { release(): void }

/** SQLite takes paths up to 512 bytes, and adds a few of its own. */
const LOCK_PATH_LIMIT = 480

/**
 * Makes this process the one that runs the database of a DATA_DIR, until it releases it or dies.
 *
 * The lock is the operating system's own (fcntl), so that no `kill -9` leaves it behind, it has no moment in
 * which the server's restart leaves it open, and it holds between containers that share a volume, where
 * PostgreSQL's pid file does not. Node has no call for such locks, but its SQLite takes one: the file is used
 * for nothing else and stays empty.
 * @param command how this process names itself to those it refuses: `bellhop start`
 * @throws OperatorError that names the holder
 */
export async function holdDataDir(layout: Layout, command: string): Promise<Hold> {
  const lock = takeLock(lockPath(layout))
  if (lock === null) throw new OperatorError(refusal(layout, await nameHolder(layout.holder)))
  try {
    // It may be left of a process of another user.
    rmSync(layout.holder, { force: true })
    await writeFile(layout.holder, `${command}, pid ${process.pid}`, { mode: 0o600 })
  } catch (error) {
    lock.close()
    throw error
  }
  return {
    release() {
      if (!lock.isOpen) return
      rmSync(layout.holder, { force: true })
      lock.close()
    },
  }
}

function refusal(layout: Layout, holder: string): string {
  return (
    `DATA_DIR: the database in ${layout.dataDir} is in use by ${holder}. ` +
    'Stop it first, or set another DATA_DIR'
  )
}

function takeLock(path: string): DatabaseSync | null {
  const database = new DatabaseSync(path, { timeout: 0 })
  try {
    database.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    return database
  } catch (error) {
    database.close()
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) return null
    throw error
  }
}

const SQLITE_BUSY = 5

/** A path that is too long for SQLite is told by its folder's number on the disk, in a private folder. */
function lockPath(layout: Layout): string {
  if (Buffer.byteLength(layout.lock) <= LOCK_PATH_LIMIT) return layout.lock
  const folder = join(tmpdir(), `bellhop-${userInfo().uid}`)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const { uid, mode } = statSync(folder)
  if (uid !== userInfo().uid || (mode & 0o077) !== 0) {
    throw new OperatorError('DATA_DIR: expected a path of at most 480 bytes')
  }
  const { dev, ino } = statSync(layout.dataDir)
  return join(folder, `${dev}-${ino}.lock`)
}

/** Waits a moment where the holder has only just come and not written its name yet. */
async function nameHolder(path: string): Promise<string> {
  for (let tries = 0; tries < 10; tries++) {
    const name = await readFile(path, 'utf8').catch(() => '')
    const pid = /, pid (\d+)$/.exec(name)?.[1]
    if (pid !== undefined && isAlive(Number(pid))) return name
    await pause(50)
  }
  return 'another process'
}
