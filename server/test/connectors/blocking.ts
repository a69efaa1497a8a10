import { setImmediate as turn } from 'node:timers/promises'

/** Times that work is looked at: a busy machine only adds to it, since processors share their caches and more. */
const LOOKS = 3

/**
 * The most work, in milliseconds of this thread's own processor time, that was done between two turns of the
 * event loop. What else the machine does meanwhile does not count.
 * @param enough no more than this is the answer at once; else the work is done again, and the least of it counts
 */
export async function longestBlocking(work: () => Promise<unknown>, enough: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let look = 1; look <= LOOKS && least >= enough; look++) least = Math.min(least, await blockingOf(work))
  return least
}

async function blockingOf(work: () => Promise<unknown>): Promise<number> {
  let longest = 0
  let over = false
  await turn()
  let before = process.threadCpuUsage()
  const look = () => {
    const { user, system } = process.threadCpuUsage(before)
    longest = Math.max(longest, (user + system) / 1000)
    before = process.threadCpuUsage()
    if (!over) setImmediate(look)
  }
  setImmediate(look)
  try {
    await work()
  } finally {
    over = true
    look()
  }
  return longest
}
