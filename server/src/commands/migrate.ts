import { readEnvironment } from '../config.ts'
import { MIGRATIONS, migrate } from '../database/migrations.ts'
import { createLog } from '../log.ts'
import { withEndpoint } from './endpoint.ts'

/** `bellhop migrate`: brings the database to this program's version. */
export async function migrateCommand(out: NodeJS.WritableStream): Promise<void> {
  const environment = readEnvironment(process.env)
  const log = createLog({ level: 'silent', pretty: false })
  await withEndpoint(environment, 'bellhop migrate', log, async (endpoint) => {
    const { applied, version } = await migrate(endpoint, MIGRATIONS)
    for (const name of applied) out.write(`applied ${name}\n`)
    out.write(`The database is at version ${version}.\n`)
  })
}
