/**
 * Begins to count work: what other processes of a busy machine do meanwhile does not count.
 * @returns how many milliseconds of processor time this process has worked since
 */
export function countWork(): () => number {
  const start = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(start)
    return (user + system) / 1000
  }
}
