import type { Resolve } from '../../../server/src/inbound/reading/authentication.ts'
import { type ReadMail, readMail, type Unreadable } from '../../../server/src/inbound/reading/read-mail.ts'
import { createReadingPool, type ReadingPool } from '../../../server/src/inbound/reading/reading-pool.ts'
import { AUTHSERV_ID } from './brands.ts'
import { judgeReading, LIMIT_MS } from './judge.ts'
import { type FuzzMail, mailOf } from './make.ts'
import type { Post } from './run.ts'

export type Readings = {
  read: number
  /** Mails that could not be read, by why. */
  unreadable: Map<string, number>
  /** What a mail broke, each with the mail. */
  wrong: { mail: FuzzMail; why: string }[]
  /** Milliseconds of the slowest. */
  slowest: number
  /** MiB: the most that this process and its threads had resident. */
  peak: number
}

const OPTIONS = { trustedAuthservIds: [AUTHSERV_ID] }
/** Failures after which no more are looked for. */
const ENOUGH = 5
/** A mail that took longer is read again, */
const SLOW_MS = 1000
/** so often in all. */
const TIMES = 3

const nothing: Resolve = async () => {
  throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })
}

/** Reads the mails as the server does, in a thread of a pool, one after the other, and judges what was read. */
export async function readAll(
  options: { seed: number; from: number; to: number; signal: AbortSignal; progress(read: number): void },
  { who, written }: Post,
): Promise<Readings> {
  const pool = createReadingPool({ resolve: nothing })
  const readings: Readings = { read: 0, unreadable: new Map(), wrong: [], slowest: 0, peak: 0 }
  try {
    for (let number = options.from; number < options.to; number++) {
      options.signal.throwIfAborted()
      const mail = mailOf(options.seed, number, who, written)
      const why = await readOne(pool, mail, readings)
      if (why !== null) readings.wrong.push({ mail, why })
      if (readings.wrong.length >= ENOUGH) break
      readings.peak = Math.max(readings.peak, process.memoryUsage.rss() / 2 ** 20)
      options.progress(++readings.read)
    }
  } finally {
    await pool.close()
  }
  return readings
}

/** @returns what is wrong, and null where nothing is */
async function readOne(pool: ReadingPool, { bytes }: FuzzMail, readings: Readings): Promise<string | null> {
  const { mail, took } = await readTimed(pool, bytes)
  readings.slowest = Math.max(readings.slowest, took)
  if (took > LIMIT_MS) return `it took ${(took / 1000).toFixed(1)} s`
  if (!('unreadable' in mail)) return judgeReading(mail, bytes)
  const { unreadable } = mail
  readings.unreadable.set(unreadable, (readings.unreadable.get(unreadable) ?? 0) + 1)
  // A thread that died, and not a parser that refused: what it threw is a fault of ours.
  if (unreadable !== 'parser') return null
  return readMail(bytes, { ...OPTIONS, resolve: nothing }).then(
    () => null,
    (error) => `it broke the reader: ${placeOf(error)}`,
  )
}

/** The faster of several times, where one was slow: a machine that others share may stand still in the middle of one. */
async function readTimed(pool: ReadingPool, bytes: Buffer) {
  let best: { mail: ReadMail | Unreadable; took: number } | null = null
  for (let time = 0; time < TIMES && (best === null || best.took > SLOW_MS); time++) {
    const began = performance.now()
    const mail = await pool.read(bytes, OPTIONS)
    const took = performance.now() - began
    if (best === null || took < best.took) best = { mail, took }
  }
  if (best === null) throw new Error('it was not read')
  return best
}

function placeOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? '').split('\n').slice(0, 4).join(' ') : String(error)
}
