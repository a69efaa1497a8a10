import { OperatorError } from '../errors.ts'

/** Aborted at the first SIGINT, SIGTERM or SIGHUP, so that a command can take back what it has begun. */
export async function untilInterrupted<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interruption = new AbortController()
  const onSignal = () => interruption.abort()
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const name of names) process.on(name, onSignal)
  try {
    return await work(interruption.signal)
  } catch (error) {
    // Whatever broke then broke because of it.
    if (interruption.signal.aborted) throw new OperatorError('Stopped')
    throw error
  } finally {
    for (const name of names) process.off(name, onSignal)
  }
}
