import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

/** What came to the desks until now. */
export type DeskReport = {
  /** Of each distinct message: the ticket, and its Message-ID or webhook-id. */
  received: [ticketId: string, messageId: string][]
  /** What came beyond the first of each message. */
  doubles: number
  /** The messages whose doubles were not the first one, byte for byte. */
  differing: string[]
}

/** A mailbox and a webhook in a process of their own, outside of all that is killed; see desk-process.ts. */
export class Desk {
  readonly smtpPort: number
  readonly webhookPort: number
  readonly #child: ChildProcess
  /** One question at a time. */
  #last: Promise<unknown> = Promise.resolve()

  private constructor(child: ChildProcess, [smtpPort, webhookPort]: [number, number]) {
    this.#child = child
    this.smtpPort = smtpPort
    this.webhookPort = webhookPort
  }

  static async start(folder: string): Promise<Desk> {
    const child = fork(join(import.meta.dirname, 'desk-process.ts'), { cwd: folder, stdio: 'inherit' })
    const [{ ports }] = (await once(child, 'message')) as [{ ports: [number, number] }]
    return new Desk(child, ports)
  }

  async report(): Promise<DeskReport> {
    return (await this.#ask<{ report: DeskReport }>('report')).report
  }

  /** How many distinct messages came. */
  async count(): Promise<number> {
    return (await this.#ask<{ count: number }>('count')).count
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.disconnect()
    await ended
  }

  #ask<T>(question: 'report' | 'count'): Promise<T> {
    const asked = this.#last.then(async () => {
      this.#child.send(question)
      const [answer] = await once(this.#child, 'message')
      return answer as T
    })
    this.#last = asked.catch(() => {})
    return asked
  }
}
