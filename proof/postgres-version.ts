import { findBinaries } from '../server/src/database/embedded/binaries.ts'
import { run } from '../server/src/database/embedded/command.ts'
import { serverUser } from '../server/src/database/embedded/server-user.ts'

/** The version of the PostgreSQL that the faults are made to, for example `18.4`. */
export async function serverVersion(): Promise<string> {
  const user = await serverUser('/')
  const { postgres } = await findBinaries(user)
  const { output } = await run(postgres, ['--version'], { user, cwd: '/', timeout: 10_000 })
  return /PostgreSQL\) (\S+)/.exec(output)?.[1] ?? 'unknown'
}
