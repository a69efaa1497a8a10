import { setImmediate as turn } from 'node:timers/promises'

/**
 * The most work, in milliseconds of this thread's own processor time, that was done between two turns of the
 * event loop. What else the machine does meanwhile does not count.
 */
export async function longestBlocking(work: () => Promise<unknown>): Promise<number> {
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
