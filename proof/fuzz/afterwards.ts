import { execFile } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { CANARY } from './values.ts'

const MAIN = join(import.meta.dirname, '../../server/src/main.ts')

export type Examined = {
  well: boolean
  /** Each invariant, and whether it holds. */
  lines: { claim: string; holds: boolean }[]
  tickets: number
}

/** `bellhop doctor --deep` beside the server. */
export async function examine(environment: Record<string, string>): Promise<Examined> {
  const { promise, resolve, reject } = Promise.withResolvers<{ well: boolean; out: string }>()
  execFile(
    process.execPath,
    [MAIN, 'doctor', '--deep'],
    { env: { ...process.env, DATABASE_URL: '', ...environment }, maxBuffer: 1024 * 1024 },
    (error, out, errors) => {
      if (error !== null && out === '') reject(new Error(`doctor --deep said nothing but: ${errors}`))
      else resolve({ well: error === null, out })
    },
  )
  const { well, out } = await promise
  const lines = [...out.matchAll(/^(ok {2}|FAIL) {2}(.*)$/gm)].map(([, verdict, claim = '']) => ({
    claim,
    holds: verdict !== 'FAIL',
  }))
  const tickets = /^(\d+) tickets = /m.exec(out)?.[1]
  if (tickets === undefined) throw new Error('doctor --deep counts no tickets')
  return { well, lines, tickets: Number(tickets) }
}

/** Lines of the server's log that repeat what a request said. */
export async function countLeaks(dataDir: string): Promise<{ lines: number; leaks: number }> {
  const names = (await readdir(dataDir)).filter((name) => name.endsWith('.log'))
  let [lines, leaks] = [0, 0]
  for (const name of names) {
    let rest = ''
    for await (const chunk of createReadStream(join(dataDir, name), 'latin1')) {
      const parts = (rest + chunk).split('\n')
      rest = parts.pop() ?? ''
      lines += parts.length
      for (const line of parts) if (line.includes(CANARY)) leaks++
    }
  }
  return { lines, leaks }
}
