import { backups } from './backups.ts'
import { clock } from './clock.ts'
import { databaseCut } from './database-cut.ts'
import { databasePaused } from './database-paused.ts'
import { diskFull } from './disk-full.ts'
import { dns } from './dns.ts'
import type { Fault } from './fault.ts'
import { imap } from './imap.ts'
import { killBellhop } from './kill-bellhop.ts'
import { killBoth } from './kill-both.ts'
import { killInbound } from './kill-inbound.ts'
import { killPostgres } from './kill-postgres.ts'
import { overload } from './overload.ts'
import { poolExhausted } from './pool-exhausted.ts'
import { promotion } from './promotion.ts'
import { sigterm } from './sigterm.ts'
import { SMTP_FAULTS } from './smtp.ts'
import { versions } from './versions.ts'

/** Every row, in the page's order. */
export const FAULTS: Fault[] = [
  killBellhop,
  killPostgres,
  killBoth,
  killInbound,
  imap,
  dns,
  sigterm,
  overload,
  ...SMTP_FAULTS,
  versions,
  databasePaused,
  databaseCut,
  poolExhausted,
  promotion,
  backups,
  diskFull,
  clock,
]
