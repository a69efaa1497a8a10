import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type FloodOrder, type FloodResult, KEY, OVER } from './flood.ts'
import type { Person } from './issuer.ts'
import type { Scene } from './scene.ts'

export type Flooding = {
  /** When no more requests are due. */
  over: Promise<void>
  /** When the last of them is answered or given up, and the ledger knows what was acknowledged. */
  result: Promise<FloodResult>
}

/** What is the row's own of an order: the process knows the rest. */
export type Load = Omit<FloodOrder, 'port' | 'requests' | 'keys' | 'acknowledged'>

let floods = 0

/** Starts a process with the load, whose tickets go to one brand. */
export function startFlood(scene: Scene, brand: string, load: Load): Flooding {
  const { context, ledger, persons } = scene
  const name = `flood-${++floods}`
  const order: FloodOrder = {
    ...load,
    port: scene.bellhop().port ?? 0,
    requests: persons.map((person) => toRequest(brand, person)),
    keys: `${ledger.run}-${name}-`,
    acknowledged: join(context.folder, `${name}.acknowledged`),
  }
  const over = Promise.withResolvers<void>()
  const result = (async () => {
    const file = join(context.folder, `${name}.json`)
    await writeFile(file, JSON.stringify(order))
    const child: ChildProcess = spawn(process.execPath, [join(import.meta.dirname, 'flood.ts'), file], {
      cwd: context.folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const onAbort = () => child.kill('SIGKILL')
    context.signal.addEventListener('abort', onAbort)
    const ended = once(child, 'exit')
    let last = ''
    if (child.stdout !== null) {
      for await (const line of createInterface(child.stdout)) {
        if (line === OVER) over.resolve()
        last = line
      }
    }
    const [status] = await ended
    context.signal.removeEventListener('abort', onAbort)
    if (status !== 0) throw new Error(`the flood ended with status ${status}`)
    const seen = JSON.parse(last) as FloodResult
    await acknowledge(scene, brand, order, seen)
    return seen
  })()
  result.catch(over.reject)
  // Who waits for the result alone is told by it.
  over.promise.catch(() => {})
  return { over: over.promise, result }
}

/** Every request that was sent was begun, and may have become a ticket; those with an answer were acknowledged. */
async function acknowledge(
  { ledger }: Scene,
  brand: string,
  order: FloodOrder,
  { sent }: FloodResult,
): Promise<void> {
  for (let request = 0; request < sent; request++) ledger.begin()
  for (const line of (await readFile(order.acknowledged, 'utf8')).split('\n')) {
    const space = line.indexOf(' ')
    if (space < 0) continue
    const body = line.slice(space + 1)
    ledger.note(line.slice(0, space), brand, { status: 201, headers: new Map(), body })
  }
}

function toRequest(brand: string, { id, token }: Person): string {
  const body = JSON.stringify({
    brand_id: brand,
    person_id: id,
    requester_email: 'ada@example.com',
    requester_name: 'Ada Lovelace',
    subject: 'My order has not arrived',
    body: 'It was due on Monday, and the page only says that it is on its way. '.repeat(8),
  })
  return (
    `POST /v1/support/tickets HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n` +
    `Content-Type: application/json\r\nIdempotency-Key: ${KEY}\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  )
}
