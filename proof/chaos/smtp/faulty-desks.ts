import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DeskReport } from '../desk.ts'
import type { Turn } from './plan.ts'

/** What the process of the desks is told; see faulty-process.ts. */
export type Settings = {
  /** Of each desk. */
  ports: number[]
  /** What meets the attempts of each. */
  plan: Turn[][]
  tls: boolean
}

export type Strikes = {
  struck: number
  /** Of them, those that leave no attempt, since the session was replaced within it. */
  replaced: number
  /**
   * Of them, those in the middle of a message that was then read slowly or not at all. What is not read yet
   * waits in the kernels between, so that its end may have been written when the time is up.
   */
  unseen: number
  /** How often an outcome with its code must stand in `attempts`. */
  ends: [end: string, times: number][]
}

export type Answers = {
  listen: null
  report: DeskReport
  /** Of each message that came more than once: how often beyond the first. */
  doubles: [messageId: string, times: number][]
  strikes: Strikes
}
export type Question = keyof Answers

/** Mail servers that fail by plan, in a process of their own. Until they are told to listen, nothing does. */
export class FaultyDesks {
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>
  /** One question at a time. */
  #last: Promise<unknown> = Promise.resolve()

  /** How many there are. */
  readonly count: number

  private constructor(child: ChildProcess, count: number) {
    this.#child = child
    this.#ended = once(child, 'exit')
    this.count = count
  }

  static async start(folder: string, settings: Settings): Promise<FaultyDesks> {
    const file = join(folder, 'faulty-desks.json')
    await writeFile(file, JSON.stringify(settings))
    const script = join(import.meta.dirname, 'faulty-process.ts')
    const child = fork(script, [file], { cwd: folder, stdio: 'inherit' })
    const desks = new FaultyDesks(child, settings.ports.length)
    await desks.#hear()
    return desks
  }

  ask<Q extends Question>(question: Q): Promise<Answers[Q]> {
    const asked = this.#last.then(async () => {
      if (this.#child.connected) this.#child.send(question)
      return ((await this.#hear()) as { answer: Answers[Q] }).answer
    })
    this.#last = asked.catch(() => {})
    return asked
  }

  report(): Promise<DeskReport> {
    return this.ask('report')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.connected) this.#child.disconnect()
    await this.#ended
  }

  /** The next thing that the process says. @throws where it ends instead */
  async #hear(): Promise<unknown> {
    const unheard = new AbortController()
    try {
      return await Promise.race([
        once(this.#child, 'message', { signal: unheard.signal }).then(([message]) => message),
        this.#ended.then(() => {
          throw new Error('the process of the desks has ended')
        }),
      ])
    } finally {
      unheard.abort()
    }
  }
}
