import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DATABASE, layoutOf, ROLE, SOCKET_FILE } from '../../server/src/database/embedded/layout.ts'
import { DEMO_AUDIENCE, DEMO_ISSUER } from '../../server/src/demo.ts'
import { readOrMakeDemoKey } from '../../server/src/demo-key.ts'
import { closedLoad, type NextRequest, rateOf } from '../load.ts'
import { type RunningServer, startBellhop } from '../servers.ts'
import type { FloorSettings } from './floor.ts'
import { type BenchContext, onStage } from './group.ts'
import { type Peer, startPeer } from './peer.ts'
import type { SocketEndpoint } from './postgres.ts'
import type { Refusals } from './refusals.ts'
import type { StatementLoopQuestion } from './statement-loop.ts'

/** Bellhop as `npm start` has it, and what it is compared with, all on its embedded database. */

export type Floor = Peer<{ port: number }, null, number>
export type StatementLoop = Peer<null, StatementLoopQuestion, number>

export async function startFrontDoor({ folder, scene }: BenchContext): Promise<RunningServer> {
  return onStage(scene, startBellhop(folder))
}

/** The database that `bellhop start` runs on this DATA_DIR. */
export function embeddedEndpoint(dataDir: string): SocketEndpoint {
  const layout = layoutOf(dataDir)
  return {
    kind: 'socket',
    path: join(layout.cluster, SOCKET_FILE),
    user: ROLE,
    password: readFileSync(layout.password, 'utf8').trim(),
    database: DATABASE,
  }
}

/** The floor with tokens of the demo issuer. */
export async function startDemoFloor({ folder, scene }: BenchContext): Promise<Floor> {
  const { publicKey } = await readOrMakeDemoKey(folder)
  const tokens = { jwks: { keys: [publicKey] }, audience: DEMO_AUDIENCE }
  return onStage(scene, startFloor(folder, { issuer: DEMO_ISSUER, tokens }))
}

export async function startFloor(
  dataDir: string,
  settings: Pick<FloorSettings, 'issuer' | 'tokens'> & { endpoint?: SocketEndpoint },
): Promise<Floor> {
  const folder = join(dataDir, 'floor')
  await mkdir(folder, { recursive: true })
  const all: FloorSettings = { endpoint: embeddedEndpoint(dataDir), folder, ...settings }
  return startPeer('floor.ts', all)
}

export async function startStatementLoop({ folder, scene }: BenchContext): Promise<StatementLoop> {
  return onStage(scene, startPeer('statement-loop.ts', { endpoint: embeddedEndpoint(folder) }))
}

/** An entrant: so many connections, each sending its next request when the last one is answered. */
export function loadOf(
  port: number,
  connections: number,
  seconds: number,
  next: NextRequest,
  expected = 201,
) {
  return async (): Promise<number> => rateOf(await closedLoad({ port, connections, seconds, next, expected }))
}

/** As {@link loadOf}, but nothing is measured: a program that has just started may still be slow, or full. */
export async function warmUp(
  port: number,
  connections: number,
  seconds: number,
  next: NextRequest,
  refusals: Refusals,
): Promise<void> {
  const { refused } = await closedLoad({ port, connections, seconds, next })
  for (const count of refused.values()) refusals.warmUp += count
}

/** A brands file for one brand, `acme`, whose tokens are opaque and whose desk is the inbox. */
export async function writeOpaqueBrands(folder: string, issuer: string): Promise<string> {
  const file = join(folder, 'opaque-brands.yaml')
  await writeFile(
    file,
    `issuers:
  - issuer: ${issuer}
    introspection:
      endpoint: ${issuer}/introspect
      client_id: bellhop
      client_secret: not a secret
brands:
  - id: acme
    name: Acme
    issuers: [${issuer}]
    tickets_per_minute: 0
    desk:
      connector: inbox
`,
  )
  return file
}
