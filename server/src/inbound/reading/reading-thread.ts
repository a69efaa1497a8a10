import { parentPort } from 'node:worker_threads'
import { type ReadMail, type ReadOptions, readMail, type Unreadable } from './read-mail.ts'

/** The thread of reading-pool.ts: reads one mail at a time, and asks its parent for DNS. */
export type ToThread =
  | { kind: 'read'; raw: Uint8Array<ArrayBuffer>; options: ReadOptions }
  | { kind: 'answer'; question: number; answer: unknown }
  | { kind: 'no_answer'; question: number; code: string | null }
export type FromThread =
  | { kind: 'ready' }
  | { kind: 'question'; question: number; name: string; type: string }
  | { kind: 'read'; mail: ReadMail | Unreadable }

type Waiting = { resolve: (answer: unknown) => void; reject: (error: Error) => void }

const waiting = new Map<number, Waiting>()
let questions = 0

function tell(message: FromThread): void {
  parentPort?.postMessage(message)
}

function resolve(name: string, type: string): Promise<unknown> {
  const question = ++questions
  return new Promise((resolve, reject) => {
    waiting.set(question, { resolve, reject })
    tell({ kind: 'question', question, name, type })
  })
}

parentPort?.on('message', (message: ToThread) => {
  if (message.kind === 'read') {
    const raw = Buffer.from(message.raw.buffer, message.raw.byteOffset, message.raw.byteLength)
    // What readMail throws is a fault of ours: it ends the thread, and the pool says `parser`.
    void readMail(raw, { ...message.options, resolve }).then((mail) => tell({ kind: 'read', mail }))
    return
  }
  const asked = waiting.get(message.question)
  waiting.delete(message.question)
  if (message.kind === 'answer') asked?.resolve(message.answer)
  else asked?.reject(Object.assign(new Error('no answer of DNS'), { code: message.code ?? 'ESERVFAIL' }))
})
tell({ kind: 'ready' })
