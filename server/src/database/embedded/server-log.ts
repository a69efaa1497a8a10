import { openSync, renameSync, statSync, truncateSync } from 'node:fs'

/** Bytes of PostgreSQL's log that are kept, twice over: the file and the one before it. */
const LOG_LIMIT = 2 * 1024 * 1024

/** The log, open for adding to its end; a large one is put aside first. */
export function openLog(path: string): number {
  if (sizeOf(path) > LOG_LIMIT) renameSync(path, `${path}.1`)
  return openSync(path, 'a', 0o600)
}

/** Empties a log that has grown beyond bounds while the server has it open. */
export function boundLog(path: string): void {
  if (sizeOf(path) > LOG_LIMIT) truncateSync(path)
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
