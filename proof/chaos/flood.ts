/**
 * The load of overload.ts, in a process of its own: an open model, in which requests come at their times whether
 * the server keeps up or not, and each is measured from the time it was due. Most come as from a balancer: over a
 * kept connection that is idle, or else over a new one, of which so many are kept afterwards. The others bring a
 * connection each and close it. Where no more may be open, requests queue, and their time runs.
 *
 * What is sustainable is measured by the same callers in a closed model: each kept connection asks again when it
 * has its answer.
 *
 * Its argument is a file with {@link FloodOrder} as JSON. It prints {@link OVER}, and {@link FloodResult} at the end.
 */
import { createWriteStream, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { percentile } from '../load.ts'
import { FloodCaller, type FloodEnd } from './flood-caller.ts'

export type FloodOrder = {
  port: number
  /** Null: a closed model. */
  perSecond: number | null
  seconds: number
  /** Idle connections that are kept. */
  kept: number
  /** Connections at once. */
  most: number
  /** Of 1: the share of the requests that bring a connection of their own. */
  fresh: number
  /** Milliseconds that a caller waits, from when its request was due. */
  patience: number
  /** The requests as they go over the wire, taken in turn; each is sent with a key of its own in place of {@link KEY}. */
  requests: string[]
  /** What the keys begin with. */
  keys: string
  /** A file for what was acknowledged: a line with the key and the body of each answer with 201. */
  acknowledged: string
}

/** Stands for the Idempotency-Key. */
export const KEY = '{key}'
/** Printed when no more requests are due; those under way have their time still. */
export const OVER = 'over'

export type FloodResult = {
  /** Requests that were due; in a closed model those that were sent. */
  due: number
  /** Of them, those for which there was a connection in time. */
  sent: number
  accepted: number
  /** Answers with 503, a Retry-After and the error body. */
  refused: number
  /** Other answers by their status, a 503 that lacks something among them. */
  others: Record<string, number>
  /** Without an answer when patience was at its end, or connections that broke before it. */
  unanswered: Record<string, number>
  /**
   * Milliseconds from when a request was due to its answer. Those without one may have been accepted: each stands
   * among the accepted with the patience that was spent on it.
   */
  latency: { accepted: Spread; refused: Spread }
  /** Cores that this process used. */
  cores: number
}

export type Spread = { p50: number; p99: number; most: number }

const TICK_MS = 2
const SWEEP_EVERY_MS = 100

/** Runs the load to its end. */
export async function flood(order: FloodOrder): Promise<FloodResult> {
  const requests = order.requests.map((request) =>
    request.split(KEY).map((part) => Buffer.from(part, 'latin1')),
  )
  const keys = new WeakMap<FloodCaller, string>()
  const acknowledged = createWriteStream(order.acknowledged)
  const idle: FloodCaller[] = []
  const busy = new Set<FloodCaller>()
  const single = new WeakSet<FloodCaller>()
  /** When the requests were due that wait for a connection; those before `first` are gone. */
  let queue: number[] = []
  let first = 0
  let sent = 0
  let due = 0
  let accepted = 0
  const latencies = { accepted: [] as number[], refused: [] as number[] }
  const others: Record<string, number> = {}
  const unanswered: Record<string, number> = {}

  const ask = (caller: FloodCaller, at: number) => {
    busy.add(caller)
    const [head, tail] = requests[sent % requests.length] ?? []
    if (head === undefined || tail === undefined) throw new Error('a request has no place for its key')
    const key = `${order.keys}${sent++}`
    keys.set(caller, key)
    caller.ask(Buffer.concat([head, Buffer.from(key, 'latin1'), tail]), at)
  }
  const isClosed = order.perSecond === null
  let until = Number.POSITIVE_INFINITY
  let opened = 0
  const open = () => {
    opened++
    return new FloodCaller(order.port, onEnd)
  }
  const close = (caller: FloodCaller) => {
    opened--
    caller.close()
  }
  const giveUp = (why: string) => {
    add(unanswered, why)
    latencies.accepted.push(order.patience)
  }
  const onEnd = (caller: FloodCaller, at: number, { answer, error }: FloodEnd) => {
    busy.delete(caller)
    if (answer === null) giveUp(error)
    else count(answer, performance.now() - at, keys.get(caller))
    if (single.has(caller) || !caller.isOpen) close(caller)
    else if (isClosed && performance.now() < until) ask(caller, performance.now())
    else if (first < queue.length) ask(caller, queue[first++] ?? at)
    else if (idle.length < order.kept) idle.push(caller)
    else close(caller)
  }
  const count = (answer: string, ms: number, key = '') => {
    const status = answer.slice(9, 12)
    if (status === '201') {
      accepted++
      latencies.accepted.push(ms)
      acknowledged.write(`${key} ${answer.slice(answer.indexOf('\r\n\r\n') + 4)}\n`)
    } else if (status === '503' && REFUSAL.test(answer)) latencies.refused.push(ms)
    else add(others, status)
  }
  /** The idle connection that was used last, or a new one; null where no more may be open. */
  const free = () => {
    for (let caller = idle.pop(); caller !== undefined; caller = idle.pop()) {
      if (caller.isOpen) return caller
      close(caller)
    }
    return opened < order.most ? open() : null
  }
  const serve = () => {
    while (first < queue.length) {
      const caller = free()
      if (caller === null) return
      ask(caller, queue[first++] ?? 0)
    }
  }
  let swept = performance.now()
  const sweep = (now: number) => {
    if (now - swept < SWEEP_EVERY_MS) return
    swept = now
    const overdue = now - order.patience
    for (; first < queue.length && (queue[first] ?? now) < overdue; first++) giveUp('queued')
    queue = queue.slice(first)
    first = 0
    for (const caller of busy) {
      if (caller.due > overdue) continue
      busy.delete(caller)
      close(caller)
      giveUp('late')
    }
  }

  for (let index = 0; index < order.kept; index++) idle.push(open())
  await pause(500)
  const cpu = process.cpuUsage()
  const started = performance.now()
  until = started + order.seconds * 1000
  let owed = 0
  for (let now = started; now < until; now = performance.now()) {
    await pause(TICK_MS)
    if (order.perSecond === null) {
      while (busy.size < order.kept) {
        const caller = free()
        if (caller === null) break
        ask(caller, now)
      }
    } else {
      for (const all = ((now - started) / 1000) * order.perSecond; due < Math.floor(all); due++) {
        const at = started + (due / order.perSecond) * 1000
        owed += order.fresh
        if (owed < 1 || opened >= order.most) queue.push(at)
        else {
          const caller = open()
          single.add(caller)
          ask(caller, at)
          owed--
        }
      }
    }
    serve()
    sweep(now)
  }
  const { user, system } = process.cpuUsage(cpu)
  const cores = (user + system) / 1000 / (performance.now() - started)
  process.stdout.write(`${OVER}\n`)
  while (busy.size > 0 || queue.length > first) {
    await pause(TICK_MS)
    serve()
    sweep(performance.now())
  }
  for (const caller of idle) close(caller)
  await new Promise<void>((resolve) => acknowledged.end(resolve))
  return {
    due: isClosed ? sent : due,
    sent,
    accepted,
    refused: latencies.refused.length,
    others,
    unanswered,
    latency: { accepted: spreadOf(latencies.accepted), refused: spreadOf(latencies.refused) },
    cores,
  }
}

const REFUSAL = /\r\nretry-after: [1-9][\s\S]*\r\n\r\n\{"error":"unavailable","message":"/i

function add(counts: Record<string, number>, what: string): void {
  counts[what] = (counts[what] ?? 0) + 1
}

function spreadOf(latencies: number[]): Spread {
  const sorted = Float64Array.from(latencies).sort()
  return { p50: percentile(sorted, 50), p99: percentile(sorted, 99), most: percentile(sorted, 100) }
}

const [, main, file] = process.argv
if (main === import.meta.filename && file !== undefined) {
  process.stdout.write(`${JSON.stringify(await flood(JSON.parse(readFileSync(file, 'utf8'))))}\n`)
}
