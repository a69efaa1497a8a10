import { join } from 'node:path'
import { isAlive } from '../../server/src/database/embedded/process.ts'
import { readPidFile } from '../../server/src/database/embedded/socket.ts'
import { familyOf, signalTo, until } from './processes.ts'

/** The embedded PostgreSQL's postmaster of a DATA_DIR, once it takes sessions. */
export async function embeddedServer(dataDir: string, signal: AbortSignal): Promise<number> {
  return until(
    'the embedded PostgreSQL runs',
    async () => {
      const file = await readPidFile(join(dataDir, 'cluster'))
      return file?.ready === true && isAlive(file.pid) && file.pid
    },
    { ms: 60_000, signal },
  )
}

/** `kill -9` of the postmaster, or of it and all its processes at once. */
export function killServer(postmaster: number, how: 'postmaster' | 'all'): void {
  for (const pid of how === 'all' ? familyOf(postmaster) : [postmaster]) signalTo(pid, 'SIGKILL')
}
