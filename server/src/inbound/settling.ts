import type { Chore } from '../deliveries/upkeep.ts'
import { newUuid } from '../ids.ts'
import { RAW_SWEPT_AT_ONCE, sweepRaw } from './quarantine.store.ts'
import type { Resolve } from './reading/authentication.ts'
import { createReadingPool } from './reading/reading-pool.ts'
import { Settler, type SettlerDeps } from './settler.ts'

/** Threads that read mails. One that waits for DNS keeps the other free. */
const THREADS = 2

/** What settles the mails that came, in this process. Nothing of it runs yet. */
export function createSettler({
  resolve,
  ...deps
}: Omit<SettlerDeps, 'reading'> & { resolve: Resolve }): Settler {
  return new Settler({ ...deps, reading: createReadingPool({ resolve, threads: THREADS }) })
}

/** @param keep milliseconds that the bytes of a settled mail are kept */
export function sweepOfRawMail(keep: number): Chore {
  return {
    event: 'raw_mails_swept',
    atOnce: RAW_SWEPT_AT_ONCE,
    some: (sql) => sweepRaw(sql, keep, Array.from({ length: RAW_SWEPT_AT_ONCE }, newUuid)),
  }
}
