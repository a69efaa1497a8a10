import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Resolve } from './authentication.ts'
import type { ReadMail, ReadOptions, Unreadable } from './read-mail.ts'
import type { FromThread, ToThread } from './reading-thread.ts'
import { SilentDomains } from './silent-domains.ts'

/**
 * Reads mails in threads of their own, so that none can stop the process: a mail that takes too long, or too much
 * memory, or breaks the parser, ends its thread and is unreadable, and the next one gets a new thread.
 */
export type ReadingPool = {
  /**
   * @param raw as it came
   * @param reader who has it read
   * @throws Error where too many wait, the pool is closed, or a thread cannot begin: of no mail's making
   */
  read(raw: Buffer, options: ReadOptions, reader?: Reader): Promise<ReadMail | Unreadable>
  close(): Promise<void>
}

export type Reader = {
  /** Whose mail it is: where too many wait for DNS, whoever has most of them waits no longer. */
  brandId?: string
  /** Hears when the mail begins to wait for DNS, and when it does not wait any more. */
  onAsking?: (isAsking: boolean) => void
}

export type ReadingPoolOptions = {
  resolve: Resolve
  /** Mails that are worked on at once; those that wait for DNS are beside them. */
  threads?: number
  /** Milliseconds of processor time for one mail, and of all time but that of waiting for DNS. */
  workMs?: number
  wallMs?: number
  /** Milliseconds that one question to DNS may wait, and that all of one mail's may wait together. */
  dnsMs?: number
  allDnsMs?: number
  /** Threads at once, those included that wait for DNS. */
  mostThreads?: number
  /** Milliseconds that a mail may wait for DNS in any case, and bytes of the mails that do. */
  patientMs?: number
  askingBytes?: number
  /** Milliseconds of a clock that is never put back. */
  now?: () => number
  /** Mails that may wait for a thread. */
  queue?: number
  /** Of one thread's heap. */
  heapMegabytes?: number
}

const START_MS = 30_000
/** One that waits for DNS holds some 60 MiB, and of its mail several times the bytes. */
const MOST_THREADS = 10
const ASKING_BYTES = 64 * 1024 * 1024
/** What a server that is not silent needs, mostly much less. */
const PATIENT_MS = 1000
/** A mail that asks for more is made to ask. */
const MOST_QUESTIONS = 60
/** What DNS answers where there is nothing: an answer, and no fault. */
const NOTHING = ['ENOTFOUND', 'ENODATA']

type Job = {
  raw: Buffer
  options: ReadOptions
  reader: Reader
  resolve: (read: ReadMail | Unreadable) => void
  reject: (error: Error) => void
}

/** A mail whose thread waits for DNS. */
type Asking = {
  brandId: string | undefined
  bytes: number
  /** Milliseconds that it has waited, in all. */
  waited: () => number
  /** It waits no more: what is not answered by now is told as silence, and the mail may be tried again. */
  giveUp: () => void
}

/**
 * A silent server keeps nobody else's mail. Those that wait for DNS take no place of those that are worked on; and where
 * they are so many that no other can begin, one of them gives way after a second: of the brand that has most of them,
 * so that one brand's cannot take another's place, the one that has waited longest.
 */
export function createReadingPool(options: ReadingPoolOptions): ReadingPool {
  const { threads = 1, queue = 100, mostThreads = MOST_THREADS } = options
  const { patientMs = PATIENT_MS, askingBytes = ASKING_BYTES } = options
  const waiting: Job[] = []
  const idle: Worker[] = []
  const all = new Set<Worker>()
  const silent = new SilentDomains(options.now ?? (() => performance.now()))
  let busy = 0
  /** Of the busy ones those that wait for DNS. */
  const asking = new Set<Asking>()
  let isClosed = false
  let impatience: NodeJS.Timeout | undefined

  function begin(): void {
    if (waiting.length === 0 || busy - asking.size >= threads) return
    const bytes = [...asking].reduce((sum, mail) => sum + mail.bytes, 0)
    if (busy < mostThreads && bytes < askingBytes) void work()
    else makeRoom()
  }

  /** The thread of the one that gives way goes on with the next mail. */
  function makeRoom(): void {
    const first = firstToGiveWay([...asking])
    if (first === undefined) return
    const left = patientMs - first.waited()
    clearTimeout(impatience)
    if (left > 0) impatience = setTimeout(begin, left)
    else first.giveUp()
  }

  function onAsking(mail: Asking, isAsking: boolean): void {
    if (isAsking) asking.add(mail)
    else asking.delete(mail)
    begin()
  }

  /** A thread that ended while it had nothing to do is none. */
  function takeIdle(): Worker | undefined {
    let thread = idle.pop()
    while (thread !== undefined && !all.has(thread)) thread = idle.pop()
    return thread
  }

  /** Not for one of too many, now that DNS has answered others. */
  function next(): Job | undefined {
    return busy - asking.size > threads ? undefined : waiting.shift()
  }

  async function work(): Promise<void> {
    busy++
    for (let job = waiting.shift(); job !== undefined; job = next()) {
      try {
        const thread = takeIdle() ?? (await startThread(options, all))
        const { read, isOver } = await readInThread(thread, job, options, silent, onAsking)
        // Of those that others' waiting for DNS made necessary none is kept.
        if (isOver || idle.length >= threads) await thread.terminate()
        else {
          thread.unref()
          idle.push(thread)
        }
        if (isClosed && isOver) job.reject(closed())
        else job.resolve(read)
      } catch (error) {
        job.reject(error instanceof Error ? error : new Error('a thread failed', { cause: error }))
      }
    }
    busy--
  }

  return {
    read(raw, readOptions, reader = {}) {
      if (isClosed) return Promise.reject(closed())
      if (waiting.length >= queue) return Promise.reject(new Error('too many mails wait to be read'))
      return new Promise((resolve, reject) => {
        waiting.push({ raw, options: readOptions, reader, resolve, reject })
        begin()
      })
    },
    async close() {
      isClosed = true
      clearTimeout(impatience)
      for (const job of waiting.splice(0)) job.reject(closed())
      await Promise.all([...all].map((thread) => thread.terminate()))
    },
  }
}

function firstToGiveWay(asking: Asking[]): Asking | undefined {
  const counts = new Map<string | undefined, number>()
  for (const { brandId } of asking) counts.set(brandId, (counts.get(brandId) ?? 0) + 1)
  const most = Math.max(...counts.values())
  return asking
    .filter(({ brandId }) => counts.get(brandId) === most)
    .reduce<Asking | undefined>(
      (one, other) => (one && one.waited() >= other.waited() ? one : other),
      undefined,
    )
}

function closed(): Error {
  return new Error('the reading of mails is closed')
}

async function startThread({ heapMegabytes = 512 }: ReadingPoolOptions, all: Set<Worker>): Promise<Worker> {
  const thread = new Worker(new URL('./reading-thread.ts', import.meta.url), {
    resourceLimits: { maxOldGenerationSizeMb: heapMegabytes, maxYoungGenerationSizeMb: 64 },
    // A thread reads strangers' mail, and needs nothing of the process's secrets.
    env: {},
  })
  all.add(thread)
  // What ends it is heard by whoever waits for it; without a listener it would end the process.
  thread.on('error', () => {})
  const { promise: ended, reject: end } = Promise.withResolvers<never>()
  // Once it has begun nobody waits for this any more.
  ended.catch(() => {})
  thread.once('exit', () => {
    all.delete(thread)
    end(new Error('a thread that reads mails did not begin'))
  })
  const late = AbortSignal.timeout(START_MS)
  await Promise.race([once(thread, 'message', { signal: late }), ended]).catch(async (error) => {
    await thread.terminate()
    throw error
  })
  return thread
}

type Outcome = { read: ReadMail | Unreadable; isOver: boolean }

async function readInThread(
  thread: Worker,
  { raw, options, reader }: Job,
  pool: ReadingPoolOptions,
  silent: SilentDomains,
  onAsking: (mail: Asking, isAsking: boolean) => void,
): Promise<Outcome> {
  const { promise: givenUp, resolve: giveUp } = Promise.withResolvers<null>()
  let hasGivenUp = false
  const mail: Asking = {
    brandId: reader.brandId,
    bytes: raw.length,
    waited: () => clock.paused(),
    giveUp() {
      hasGivenUp = true
      giveUp(null)
    },
  }
  const clock = createWorkClock({
    workMs: pool.workMs ?? 2000,
    wallMs: pool.wallMs ?? 10_000,
    used: await processorTime(thread),
    onAsking(isAsking) {
      reader.onAsking?.(isAsking)
      onAsking(mail, isAsking)
    },
  })
  thread.ref()
  return await new Promise<Outcome>((resolve) => {
    const end = (outcome: Outcome) => {
      clock.stop()
      thread.off('message', onMessage).off('error', onError).off('exit', onExit)
      resolve(outcome)
    }
    let questions = 0
    const onMessage = (message: FromThread) => {
      if (message.kind === 'read') end({ read: withBuffers(message.mail), isOver: false })
      if (message.kind !== 'question') return
      questions++
      clock.pause()
      const left = hasGivenUp ? 0 : (pool.allDnsMs ?? 30_000) - clock.paused()
      const bound = questions > MOST_QUESTIONS ? null : { whole: pool.dnsMs ?? 5000, left }
      void ask(pool.resolve, silent, message, bound, givenUp).then((answer) => {
        clock.resume()
        thread.postMessage(answer)
      })
    }
    const onError = (error: NodeJS.ErrnoException) => {
      const isMemory = error.code === 'ERR_WORKER_OUT_OF_MEMORY'
      end({ read: { unreadable: isMemory ? 'too_large' : 'parser' }, isOver: true })
    }
    const onExit = () => end({ read: { unreadable: 'parser' }, isOver: true })
    thread.on('message', onMessage).on('error', onError).on('exit', onExit)
    clock.start((isWork) => {
      const read: Unreadable = isWork ? { unreadable: 'too_slow' } : { unreadable: 'too_slow', again: true }
      end({ read, isOver: true })
    })
    const copy = new Uint8Array(raw)
    const message: ToThread = { kind: 'read', raw: copy, options }
    thread.postMessage(message, [copy.buffer])
  })
}

/**
 * @param bound how many milliseconds an answer may take, and how many are left of those that all of the mail's may take;
 *   null: too much was asked already, and there is nothing
 * @param givenUp comes where the mail waits no longer; who is silent is found out all the same
 */
async function ask(
  resolve: Resolve,
  silent: SilentDomains,
  { question, name, type }: { question: number; name: string; type: string },
  bound: { whole: number; left: number } | null,
  givenUp: Promise<null>,
): Promise<ToThread> {
  if (bound === null || name.length > 255) return { kind: 'no_answer', question, code: 'ENODATA' }
  const { whole, left } = bound
  const silence: ToThread = { kind: 'no_answer', question, code: 'ETIMEOUT' }
  if (left <= 0 || silent.has(name)) return silence
  const { promise: late, resolve: giveUp } = Promise.withResolvers<null>()
  const timer = setTimeout(
    () => {
      // One that was cut short by the mail's other questions says nothing of whom it went to.
      if (left >= whole) silent.add(name)
      giveUp(null)
    },
    Math.min(whole, left),
  )
  // Its thread keeps the process as long as the mail waits.
  timer.unref()
  const answered = Promise.resolve()
    .then(() => resolve(name, type))
    .then((answer): ToThread => ({ kind: 'answer', question, answer }))
    .catch((error: unknown): ToThread => {
      const code = error instanceof Error && 'code' in error ? String(error.code) : null
      if (code === 'ETIMEOUT') silent.add(name)
      return {
        kind: 'no_answer',
        question,
        code: code !== null && NOTHING.includes(code) ? code : 'ESERVFAIL',
      }
    })
    .finally(() => clearTimeout(timer))
  return (await Promise.race([answered, late, givenUp])) ?? silence
}

/** Milliseconds for a thread to say how much it has worked. */
const TELL_MS = 250

/** @returns tells how many milliseconds of processor time the thread has used since now; one that cannot say, no end */
async function processorTime(thread: Worker): Promise<() => Promise<number>> {
  const before = await thread.cpuUsage()
  return async () => {
    const { promise: late, resolve } = Promise.withResolvers<number>()
    const timer = setTimeout(resolve, TELL_MS, Number.POSITIVE_INFINITY)
    const told = thread
      .cpuUsage(before)
      .then(({ user, system }) => (user + system) / 1000)
      .catch(() => Number.POSITIVE_INFINITY)
    return await Promise.race([told, late]).finally(() => clearTimeout(timer))
  }
}

/**
 * Counts what a thread works: its processor time, since on a busy machine an honest mail may wait for its turn; and all
 * time but that of waiting for DNS, which is bounded more generously.
 */
function createWorkClock({
  workMs,
  wallMs,
  used,
  onAsking,
}: {
  workMs: number
  wallMs: number
  used: () => Promise<number>
  onAsking: (isAsking: boolean) => void
}) {
  /** Milliseconds until it is looked at, and of `wallMs` that are left. */
  let next = workMs
  let left = wallMs
  let paused = 0
  let since = performance.now()
  let pauses = 0
  let isStopped = false
  let timer: NodeJS.Timeout | undefined
  let onOver: (isWork: boolean) => void = () => {}

  function run(): void {
    since = performance.now()
    timer = setTimeout(look, Math.max(0, Math.min(next, left)))
  }

  /** Takes off what has passed since the last look. */
  function pass(): void {
    const passed = performance.now() - since
    next -= passed
    left -= passed
    since = performance.now()
  }

  async function look(): Promise<void> {
    pass()
    const worked = left <= 0 ? Number.POSITIVE_INFINITY : await used()
    if (isStopped) return
    if (worked >= workMs) {
      // One that had no turn, or did not say, may have been kept from working by others.
      onOver(Number.isFinite(worked))
      return
    }
    next = Math.max(10, workMs - worked)
    clearTimeout(timer)
    if (pauses === 0) run()
  }

  return {
    /** @param over hears whether it was the thread's own work that took too long */
    start(over: (isWork: boolean) => void) {
      onOver = over
      run()
    },
    pause() {
      pauses++
      if (pauses > 1) return
      clearTimeout(timer)
      pass()
      onAsking(true)
    },
    resume() {
      if (isStopped) return
      pauses--
      if (pauses > 0) return
      paused += performance.now() - since
      onAsking(false)
      run()
    },
    /** Milliseconds of all pauses until now. */
    paused() {
      return paused + (pauses > 0 ? performance.now() - since : 0)
    },
    stop() {
      clearTimeout(timer)
      isStopped = true
      if (pauses > 0) onAsking(false)
    },
  }
}

/** Bytes come out of another thread as plain arrays. */
function withBuffers(mail: ReadMail | Unreadable): ReadMail | Unreadable {
  if ('unreadable' in mail) return mail
  const asBuffer = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const attachments = mail.attachments.map((file) => ({ ...file, bytes: asBuffer(file.bytes) }))
  return { ...mail, attachments, bodyDigest: asBuffer(mail.bodyDigest) }
}
