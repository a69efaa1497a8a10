import { type ChildProcess, spawn } from 'node:child_process'
import { findBinaries } from '../../src/database/embedded/binaries.ts'
import { dataFolder } from '../../src/database/embedded/cluster.ts'
import { ENVIRONMENT } from '../../src/database/embedded/command.ts'
import { serverUser } from '../../src/database/embedded/server-user.ts'
import { socketSetting } from '../../src/database/embedded/socket.ts'
import { until } from './embedded/processes.ts'

export type RawServer = { child: ChildProcess; stop(): Promise<void> }

/** PostgreSQL on a cluster without the supervisor, as somebody's own server would be: a standby, one with TLS. */
export async function startRawServer(cluster: string, settings: Record<string, string>): Promise<RawServer> {
  const user = await serverUser(cluster)
  const { postgres } = await findBinaries(user)
  const all = { listen_addresses: '', unix_socket_directories: socketSetting(cluster), ...settings }
  const child = spawn(
    postgres,
    [
      '-D',
      dataFolder(cluster),
      ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    { ...user, cwd: cluster, env: ENVIRONMENT, stdio: 'ignore' },
  )
  return {
    child,
    async stop() {
      child.kill('SIGINT')
      await until(() => child.exitCode !== null || child.signalCode !== null)
    },
  }
}
