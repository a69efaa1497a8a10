import { mkdtempSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SOCKET_PATH_LIMIT } from '../socket-path.ts'
import { SOCKET_FILE } from './layout.ts'

/**
 * What to set `unix_socket_directories` to. On Linux the server is told its own working directory, whatever
 * its length; elsewhere the cluster's folder, or a private temporary one where that is too long.
 */
export function socketSetting(cluster: string): string {
  if (process.platform === 'linux') return '/proc/self/cwd'
  const short = Buffer.byteLength(join(cluster, SOCKET_FILE)) <= SOCKET_PATH_LIMIT
  const folder = short ? cluster : mkdtempSync(join(tmpdir(), 'bellhop-'))
  // A list: a comma in the path would end it.
  return `"${folder.replaceAll('"', '""')}"`
}

/** The socket file of the server whose pid file names this folder (line 5). */
export function socketPath(cluster: string, folder: string): string {
  return join(folder.startsWith('/proc/self/') ? cluster : folder, SOCKET_FILE)
}

/** What `postmaster.pid` says (PostgreSQL's `miscadmin.h`, LOCK_FILE_LINE_*). */
export type PidFile = { pid: number; socketFolder: string; ready: boolean }

/** Null where there is no server, or it has not come far enough to tell. */
export async function readPidFile(cluster: string): Promise<PidFile | null> {
  const text = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '')
  const lines = text.split('\n')
  const pid = Number(lines[0])
  if (!Number.isInteger(pid) || pid <= 0) return null
  return { pid, socketFolder: lines[4] ?? '', ready: lines[7]?.trim() === 'ready' }
}
