import './jumping-date.ts'
import type { AddressInfo } from 'node:net'
import { compose } from '../../server/src/compose.ts'
import { loadConfig } from '../../server/src/config.ts'
import { MIGRATIONS, migrate } from '../../server/src/database/migrations.ts'
import { createLog } from '../../server/src/log.ts'

/** `bellhop start` on DATABASE_URL, as serve.ts does it, in a process whose time of day jumps. */
const config = await loadConfig(process.env)
const { environment } = config
const log = createLog({ level: environment.logLevel, pretty: false })
const endpoint = { kind: 'url' as const, url: environment.databaseUrl ?? '' }
await migrate(endpoint, MIGRATIONS)
const bellhop = await compose({
  config,
  endpoint,
  roles: { api: true, worker: true },
  log,
  env: process.env,
})
if (bellhop.app === null) throw new Error('it answers requests')
bellhop.start()
await bellhop.app.listen({ host: '127.0.0.1', port: environment.port, backlog: 4096 })
const { port } = bellhop.app.server.address() as AddressInfo
log.info('listening', { url: `http://127.0.0.1:${port}` })
