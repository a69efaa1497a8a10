import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

/**
 * A process of its own that a measurement needs beside Bellhop: what Bellhop is compared with, a desk, an
 * issuer, a loop of statements. It gets its settings when it starts, answers questions by the channel that Node
 * gives a child, and ends when its parent does.
 */
export type Peer<Ready, Question, Answer> = {
  ready: Ready
  /** @throws Error with what went wrong in the peer */
  ask(question: Question): Promise<Answer>
  stop(): Promise<void>
}

type Said = { about: number; answer: unknown } | { about: number; fault: string }
type Pending = { resolve: (answer: unknown) => void; reject: (error: Error) => void }

/**
 * @param file in this folder, whose last line is {@link serveAsPeer}
 * @throws Error where it cannot start
 */
export async function startPeer<Ready, Question, Answer>(
  file: string,
  settings: object,
): Promise<Peer<Ready, Question, Answer>> {
  const child = fork(join(import.meta.dirname, file), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const ended = once(child, 'exit')
  const pending = new Map<number, Pending>()
  let asked = 0
  child.on('message', (said: Said) => {
    const one = pending.get(said.about)
    pending.delete(said.about)
    if ('fault' in said) one?.reject(new Error(`${file}: ${said.fault}`))
    else one?.resolve(said.answer)
  })
  child.once('exit', () => {
    for (const { reject } of pending.values()) reject(new Error(`${file} ended`))
    pending.clear()
  })
  const send = (question: unknown): Promise<unknown> => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    if (!child.connected) throw new Error(`${file} has ended`)
    pending.set(asked, { resolve, reject })
    child.send({ about: asked++, question })
    return promise
  }
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await ended
  }
  try {
    const ready = (await send(settings)) as Ready
    return { ready, ask: async (question) => (await send(question)) as Answer, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** What a peer's file ends with: how it starts, and how it answers from then on. */
export function serveAsPeer<Settings, Ready, Question, Answer>(
  start: (settings: Settings) => Promise<{ ready: Ready; answer: (question: Question) => Promise<Answer> }>,
): void {
  let answer: ((question: Question) => Promise<Answer>) | null = null
  process.on('message', async ({ about, question }: { about: number; question: unknown }) => {
    try {
      if (answer !== null) {
        process.send?.({ about, answer: await answer(question as Question) })
        return
      }
      const started = await start(question as Settings)
      answer = started.answer
      process.send?.({ about, answer: started.ready })
    } catch (error) {
      process.send?.({ about, fault: error instanceof Error ? (error.stack ?? error.message) : 'unknown' })
    }
  })
  process.on('disconnect', () => process.exit())
  // The terminal's Ctrl-C is for the parent, which ends its peers.
  process.on('SIGINT', () => {})
}
