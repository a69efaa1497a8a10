import type { AddressInfo } from 'node:net'
import { compose } from '../../src/compose.ts'
import type { Config } from '../../src/config.ts'
import type { CrashPoint } from '../../src/crash-points.ts'
import type { DatabaseEndpoint } from '../../src/database/pool.ts'
import { createLog } from '../../src/log.ts'

/** What the process is told: what to run, and where it dies by SIGKILL; null: nowhere by itself. */
export type CrashingBellhop = { config: Config; endpoint: DatabaseEndpoint; point: CrashPoint | null }

/** The whole program as a process of its own that can be killed; prints "ready PORT". */
const { config, endpoint, point }: CrashingBellhop = JSON.parse(process.argv[2] ?? '')
const bellhop = await compose({
  config,
  endpoint,
  roles: { api: true, worker: true },
  log: createLog({ level: 'silent', pretty: false }),
  pass: (passed) => {
    if (passed === point) process.kill(process.pid, 'SIGKILL')
  },
})
if (bellhop.app === null) throw new Error('it answers requests')
bellhop.start()
await bellhop.app.listen({ host: '127.0.0.1', port: 0 })
const { port } = bellhop.app.server.address() as AddressInfo
process.stdout.write(`ready ${port}\n`)
