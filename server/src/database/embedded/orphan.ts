import { execFileSync } from 'node:child_process'
import { readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { OperatorError } from '../../errors.ts'
import { answers } from '../dial.ts'
import { endServer, isAlive } from './process.ts'
import { readPidFile, socketPath } from './socket.ts'

/**
 * Stops the server that a killed Bellhop has left behind, if there is one. Whoever calls holds the DATA_DIR,
 * so it is nobody's.
 * @returns its pid, or null where there was none
 * @throws OperatorError where a server answers that this process cannot see
 */
export async function stopOrphan(cluster: string): Promise<number | null> {
  const file = await readPidFile(cluster)
  if (file === null) return null
  if (await isServerOf(file.pid, cluster)) {
    await endServer(file.pid, () => !isAlive(file.pid))
    return file.pid
  }
  if (await answers({ kind: 'unix', path: socketPath(cluster, file.socketFolder) }, 1000)) {
    throw new OperatorError(
      'DATA_DIR: a PostgreSQL that cannot be seen from here is running in it, perhaps in another container. ' +
        'Stop it first',
    )
  }
  // The number is somebody else's by now, as after a power failure. PostgreSQL would take them for its server
  // and refuse to start. It still refuses where a session of the old server holds its shared memory.
  await rm(join(cluster, 'postmaster.pid'), { force: true })
  return null
}

/** A pid may be anyone's by now: it is the server only where it works in the cluster's folder. */
async function isServerOf(pid: number, cluster: string): Promise<boolean> {
  if (!isAlive(pid)) return false
  if (process.platform !== 'linux') return commandOf(pid).includes(`-D ${cluster}`)
  try {
    const [theirs, ours] = await Promise.all([stat(`/proc/${pid}/cwd`), stat(cluster)])
    const name = await readFile(`/proc/${pid}/comm`, 'utf8')
    return theirs.dev === ours.dev && theirs.ino === ours.ino && name.trim() === 'postgres'
  } catch {
    return false
  }
}

function commandOf(pid: number): string {
  try {
    return execFileSync('ps', ['-p', String(pid), '-o', 'command='], { encoding: 'utf8', timeout: 5000 })
  } catch {
    return ''
  }
}
