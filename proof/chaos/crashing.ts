import { Resolver } from 'node:dns/promises'
import type { AddressInfo } from 'node:net'
import { compose } from '../../server/src/compose.ts'
import { loadConfig } from '../../server/src/config.ts'
import { MIGRATIONS, migrate } from '../../server/src/database/migrations.ts'
import { createLog } from '../../server/src/log.ts'

/**
 * `bellhop start` on DATABASE_URL, as serve.ts does it, that dies by SIGKILL when it passes a crash point for
 * the nth time: `crashing.ts POINT N`. Without one it lives. Where DNS_PORT names a port of this machine, it asks
 * there and not the machine's own DNS.
 */
const [point, passes] = process.argv.slice(2)
const config = await loadConfig(process.env)
const { environment } = config
const log = createLog({ level: environment.logLevel, pretty: false })
const endpoint = { kind: 'url' as const, url: environment.databaseUrl ?? '' }
await migrate(endpoint, MIGRATIONS)
let left = Number(passes)
const resolver = new Resolver({ timeout: 2000, tries: 2 })
const { DNS_PORT } = process.env
if (DNS_PORT !== undefined) resolver.setServers([`127.0.0.1:${DNS_PORT}`])
const bellhop = await compose({
  config,
  endpoint,
  roles: { api: true, worker: true },
  log,
  env: process.env,
  resolve: (name, type) => resolver.resolve(name, type),
  pass: (passed) => {
    if (passed === point && --left === 0) process.kill(process.pid, 'SIGKILL')
  },
})
if (bellhop.app === null) throw new Error('it answers requests')
bellhop.start()
await bellhop.app.listen({ host: '127.0.0.1', port: environment.port, backlog: 4096 })
const { port } = bellhop.app.server.address() as AddressInfo
log.info('listening', { url: `http://127.0.0.1:${port}` })
