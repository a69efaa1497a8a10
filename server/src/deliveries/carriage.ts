import type { BlobFolder } from '../blobs/blob-folder.ts'
import type { Outlet } from '../connectors/registry.ts'
import type { Pass } from '../crash-points.ts'
import type { Database } from '../database/pool.ts'
import type { Log } from '../log.ts'
import { type AttemptObserver, Carrier } from './carrier.ts'
import { pullNear } from './database-clock.store.ts'
import { DatabaseClock } from './database-clock.ts'
import {
  type ClaimRequest,
  claimDeliveries,
  finishAttempt,
  releaseLeases,
  renewLeases,
} from './delivery.store.ts'
import { isForNobody, toJob } from './job.ts'
import { readPeopleOf, type TicketPeople } from './redirect.store.ts'
import { type Chore, Upkeep } from './upkeep.ts'
import { Worker } from './worker.ts'

const STATEMENT_MS = 10_000

export type CarriageDeps = {
  outlets: Outlet[]
  database: Database
  blobs: BlobFolder
  /** The name of this process in its leases. */
  holder: string
  log: Log
  observe: AttemptObserver
  random: () => number
  pass: Pass
  /** Milliseconds between renewals of the leases; undefined: the carrier's own. */
  renewEvery: number | undefined
  /** Milliseconds between rounds of the upkeep; undefined: its own. */
  upkeepEvery: number | undefined
  /** What a worker does beside carrying, for others. */
  chores: Chore[]
}

export type Carriage = { carrier: Carrier; worker: Worker; upkeep: Upkeep; databaseClock: DatabaseClock }

/** What carries deliveries in one process, over one database. Nothing of it runs yet. */
export function createCarriage(deps: CarriageDeps): Carriage {
  const { outlets, database, blobs, holder, log, random } = deps
  const carrier = new Carrier({
    outlets,
    store: {
      finish: (end) => database.run(STATEMENT_MS, (sql) => finishAttempt(sql, holder, end)),
      renew: (leases) => database.run(STATEMENT_MS, (sql) => renewLeases(sql, holder, leases)),
      release: (leases) => database.run(STATEMENT_MS, (sql) => releaseLeases(sql, holder, leases)),
    },
    log,
    observe: deps.observe,
    random,
    now: () => performance.now(),
    pass: deps.pass,
    ...(deps.renewEvery === undefined ? {} : { renewEvery: deps.renewEvery }),
  })
  const worker = new Worker({
    carrier,
    claim: async (free) => {
      const requests = free.ofOutlet.map(
        ({ outlet, places }): ClaimRequest => ({
          brandId: outlet.brandId,
          side: outlet.side,
          limit: places,
          connector: outlet.connector.name,
          mailDomain: outlet.mailDomain,
        }),
      )
      const rows = await database.run(STATEMENT_MS, (sql) =>
        claimDeliveries(sql, holder, requests, free.inAll, carrier.underWay()),
      )
      const doubtful = rows.filter(isForNobody)
      const people =
        doubtful.length === 0
          ? new Map<string, TicketPeople>()
          : await database.run(STATEMENT_MS, (sql) => readPeopleOf(sql, doubtful))
      return rows.map((row) => toJob({ ...row, ...people.get(row.deliveryId) }, blobs))
    },
    log,
    random,
  })
  return {
    carrier,
    worker,
    upkeep: new Upkeep({
      database,
      blobs,
      log,
      random,
      underWay: () => carrier.underWay(),
      chores: deps.chores,
      ...(deps.upkeepEvery === undefined ? {} : { every: deps.upkeepEvery }),
    }),
    databaseClock: new DatabaseClock({ database, log, mend: pullNear }),
  }
}
