import { connect, type Socket } from 'node:net'
import { type Answer, readAnswer } from './answer.ts'

/** Within it a server must answer or hang up, however busy the machine is. */
const LIMIT_MS = 20_000

/** After it nothing more is awaited on what may be an answer to come. */
const QUIET_MS = 3000

/** A connection that is kept, on which one request at a time is answered. */
export class Lane {
  readonly #port: number
  #socket: Socket | null = null

  constructor(port: number) {
    this.#port = port
  }

  /** @throws Error where there is no whole answer, or more than one */
  async ask(bytes: Buffer, head: boolean): Promise<Answer> {
    const socket = this.#socket ?? (await open(this.#port))
    this.#socket = socket
    const received = gather(socket)
    try {
      socket.write(bytes)
      for (;;) {
        const reading = readAnswer(received.bytes(), head)
        if (reading !== null) {
          if (reading.length < received.bytes().length) throw new Error('more came than one answer')
          if (reading.answer.last) this.close()
          return reading.answer
        }
        if (received.isOver()) throw new Error('the server hung up before its answer was whole')
        await received.more()
      }
    } catch (error) {
      this.close()
      throw error
    } finally {
      received.stop()
    }
  }

  /** A connection that the server may close in the midst of what comes next is not used for it. */
  close(): void {
    this.#socket?.destroy()
    this.#socket = null
  }
}

/**
 * Says it all on a connection of its own, waits for so many answers, or until nothing more has come for a while,
 * and hangs up. A server may drop its answer to one who hung up.
 * @param wanted none: it hangs up at once
 * @param owed they are waited for as long as a server may take
 * @returns the answers, of which there may be more or fewer
 * @throws Error where one is no HTTP or is not whole, or the server does not hang up
 */
export async function sayAll(port: number, bytes: Buffer, wanted: number, owed = false): Promise<Answer[]> {
  const socket = await open(port)
  const received = gather(socket)
  try {
    socket.write(bytes)
    while (wanted > countAnswers(received.bytes()) && !received.isOver()) {
      if (!(await received.moreWithin(owed ? LIMIT_MS : QUIET_MS))) break
    }
    socket.end()
    while (!received.isOver()) await received.more()
    const { answers, rest } = readAll(received.bytes())
    if (rest > 0) throw new Error('the server hung up before its answer was whole')
    return answers
  } finally {
    received.stop()
    socket.destroy()
  }
}

function countAnswers(bytes: Buffer): number {
  return readAll(bytes).answers.length
}

function readAll(bytes: Buffer): { answers: Answer[]; rest: number } {
  const answers: Answer[] = []
  let rest = bytes
  for (let reading = readAnswer(rest, false); reading !== null; reading = readAnswer(rest, false)) {
    answers.push(reading.answer)
    rest = rest.subarray(reading.length)
  }
  return { answers, rest: rest.length }
}

function open(port: number): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true }, () =>
    resolve(socket),
  )
  socket.once('error', reject)
  // Later ones show by the connection's end.
  socket.on('error', () => {})
  return promise
}

function gather(socket: Socket) {
  let bytes: Buffer = Buffer.alloc(0)
  let wake = Promise.withResolvers<void>()
  let over = socket.destroyed || socket.readableEnded
  const onData = (chunk: Buffer) => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
    wake.resolve()
  }
  const onOver = () => {
    over = true
    wake.resolve()
  }
  socket.on('data', onData).once('end', onOver).once('close', onOver)
  return {
    bytes: () => bytes,
    isOver: () => over,
    /** Whether anything came, or the end, in so many milliseconds. */
    async moreWithin(ms: number): Promise<boolean> {
      wake = Promise.withResolvers()
      const quiet = setTimeout(() => wake.resolve(), ms)
      const before = bytes.length
      await wake.promise
      clearTimeout(quiet)
      return bytes.length > before || over
    },
    /** @throws Error after {@link LIMIT_MS} of silence */
    async more(): Promise<void> {
      wake = Promise.withResolvers()
      const late = setTimeout(
        () => wake.reject(new Error(`neither an answer nor an end in ${LIMIT_MS} ms`)),
        LIMIT_MS,
      )
      try {
        await wake.promise
      } finally {
        clearTimeout(late)
      }
    },
    stop: () => void socket.off('data', onData).off('end', onOver).off('close', onOver),
  }
}
