/** Reads mails by the pool of threads that Bellhop reads them by, and does nothing else with them. */
import { createReadingPool, type ReadingPool } from '../../server/src/inbound/reading/reading-pool.ts'
import { AUTHSERV_ID, mailsOf } from '../inbound/answers.ts'
import { serveAsPeer } from './peer.ts'

/** As many as a worker reads by (inbound/settling.ts). */
const THREADS = 2

export type ReadLoopSettings = { bytes: number; to: string }

async function startReadLoop({ bytes, to }: ReadLoopSettings) {
  const resolve = async () => {
    throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })
  }
  const pool: ReadingPool = createReadingPool({ resolve, threads: THREADS, queue: 1000 })
  const next = mailsOf(bytes, () => to)
  const read = () => pool.read(next(), { trustedAuthservIds: [AUTHSERV_ID] })
  await read()
  return {
    ready: null,
    /** @returns mails a second */
    answer: async (mails: number) => {
      const began = performance.now()
      let left = mails
      const reader = async () => {
        while (left-- > 0) if ('unreadable' in (await read())) throw new Error('a mail could not be read')
      }
      await Promise.all(Array.from({ length: THREADS * 2 }, reader))
      return (mails / (performance.now() - began)) * 1000
    },
  }
}

serveAsPeer(startReadLoop)
