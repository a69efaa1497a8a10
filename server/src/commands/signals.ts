import type { Log } from '../log.ts'

/** Ctrl-C reaches this process twice where npm passes it on too; a person who means it presses again later. */
const SECOND_SIGNAL_MS = 1000

/**
 * Ends the process without its last words: a reader of the log who does not read would hold it up for ever,
 * since the log flushes what it has at every ordinary end.
 */
export function endNow(status: number): never {
  process.removeAllListeners('exit')
  process.exit(status)
}

/**
 * Resolves at the first SIGTERM, SIGINT or SIGHUP. A second one, at least 1 s after it, ends the process at
 * once.
 */
export function untilSignal(log: Log, exit: (status: number) => void = endNow): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let first: number | null = null
  const onSignal = () => {
    if (first === null) {
      first = performance.now()
      resolve()
    } else if (performance.now() - first >= SECOND_SIGNAL_MS) {
      log.warn('stopped_at_once')
      exit(1)
    }
  }
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(name, onSignal)
  return promise
}
