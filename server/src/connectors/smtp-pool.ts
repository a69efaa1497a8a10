import { SmtpFault, type SmtpSession, stoppedBy } from './smtp-session.ts'

/**
 * The sessions of one mail server: a bounded number, each used for many messages one after another. It never
 * sends anything again by itself, since every attempt must have its row.
 */
export type SmtpPool = {
  /**
   * Runs `use` with a session that nobody else has.
   * @param fresh true: not with one that was opened before
   * @throws {SmtpFault} where none could be had before `signal` was aborted
   */
  with<T>(fresh: boolean, signal: AbortSignal, use: (session: SmtpSession) => Promise<T>): Promise<T>
  close(): Promise<void>
}

export type SmtpPoolLimits = {
  connections: number
  /** Messages that one session carries. */
  messages: number
  /** How long a session waits for the next message, in milliseconds; servers wait for minutes. */
  idle: number
}

type IdleSession = { session: SmtpSession; timer: NodeJS.Timeout }

export function createSmtpPool(
  open: (signal: AbortSignal) => Promise<SmtpSession>,
  limits: SmtpPoolLimits,
): SmtpPool {
  const idle: IdleSession[] = []
  const waiting: (() => void)[] = []
  let taken = 0
  let closed = false

  async function takeSlot(signal: AbortSignal): Promise<void> {
    if (taken < limits.connections) {
      taken += 1
      return
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onAbort = () => {
      const place = waiting.indexOf(resolve)
      if (place !== -1) waiting.splice(place, 1)
      reject(new SmtpFault('opening', null, stoppedBy(signal)))
    }
    waiting.push(resolve)
    signal.addEventListener('abort', onAbort, { once: true })
    await promise.finally(() => signal.removeEventListener('abort', onAbort))
  }

  function giveSlot(): void {
    const next = waiting.shift()
    if (next === undefined) taken -= 1
    else next()
  }

  function takeIdle(): SmtpSession | null {
    for (let last = idle.pop(); last !== undefined; last = idle.pop()) {
      clearTimeout(last.timer)
      if (last.session.usable) return last.session
    }
    return null
  }

  function keep(session: SmtpSession): void {
    if (closed || !session.usable || session.carried >= limits.messages) {
      void session.quit()
      return
    }
    const timer = setTimeout(() => {
      const place = idle.findIndex((one) => one.session === session)
      if (place !== -1) idle.splice(place, 1)
      void session.quit()
    }, limits.idle)
    idle.push({ session, timer })
  }

  return {
    async with(fresh, signal, use) {
      if (signal.aborted) throw new SmtpFault('opening', null, stoppedBy(signal))
      await takeSlot(signal)
      try {
        if (closed) throw new SmtpFault('opening', null, 'aborted')
        // A fresh session takes the place of an idle one, so that there are never more than slots.
        const reused = takeIdle()
        if (fresh && reused !== null) void reused.quit()
        const session = fresh || reused === null ? await open(signal) : reused
        try {
          const result = await use(session)
          keep(session)
          return result
        } catch (error) {
          session.destroy()
          throw error
        }
      } finally {
        giveSlot()
      }
    },
    async close() {
      closed = true
      await Promise.all(
        idle.splice(0).map(({ session, timer }) => {
          clearTimeout(timer)
          return session.quit()
        }),
      )
    },
  }
}
