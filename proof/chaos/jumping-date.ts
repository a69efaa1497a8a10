import { readFileSync, writeFileSync } from 'node:fs'

/**
 * Imported first, it makes the time of day jump for the whole process, libraries included, as an operator's or
 * an NTP server's setting of the clock does; clocks that only grow are left alone. CLOCK_FILE says by how many
 * milliseconds, and is read at each SIGUSR2; what was read is written beside it.
 */
const path = process.env.CLOCK_FILE
if (path === undefined) throw new Error('CLOCK_FILE: expected a path')
const real = Date.now
let ahead = 0
Date.now = () => real() + ahead
globalThis.Date = new Proxy(Date, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [target.now()] : args, newTarget),
})
process.on('SIGUSR2', () => {
  ahead = Number(readFileSync(path, 'utf8'))
  writeFileSync(`${path}.seen`, String(ahead))
})
