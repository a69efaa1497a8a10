import { once } from 'node:events'
import type { Writable } from 'node:stream'
import type { Executor } from '../database/pool.ts'
import { OperatorError } from '../errors.ts'
import type { TableHead } from './archive.ts'
import { copyIn } from './schema.store.ts'

/** Takes the parts of one table after the other, each table by one COPY. */
export class TableIntake {
  readonly #transaction: Executor
  #current: { table: TableHead; stream: Writable; failed: Promise<never> } | null = null

  constructor(transaction: Executor) {
    this.#transaction = transaction
  }

  async add(table: TableHead, part: Buffer): Promise<void> {
    if (this.#current?.table !== table) {
      await this.end()
      this.#current = await this.#begin(table)
    }
    const { stream, failed } = this.#current
    if (stream.destroyed) return await failed
    // Until it is on its way: an end that comes earlier is deferred by the stream, and the driver refuses the
    // next statement before it.
    const { promise: sent, resolve } = Promise.withResolvers<void>()
    stream.write(part, () => resolve())
    await Promise.race([sent, failed])
    if (stream.destroyed) await failed
  }

  async #begin(table: TableHead) {
    const stream = await this.#transaction.unsafe(copyIn(table)).writable()
    const { promise: failed, reject } = Promise.withResolvers<never>()
    stream.on('error', (error) => reject(refusal(table, error)))
    // Whoever adds next hears of it.
    failed.catch(() => {})
    return { table, stream, failed }
  }

  /** Breaks off the COPY that is under way, without which the driver lets nothing more be said. */
  abort(): void {
    this.#current?.stream.destroy(new Error('the restore has failed'))
  }

  /**
   * Ends the COPY of the current table. The driver does not tell when the server refuses the rows at the very
   * end, and may tell that it took them; the next statement of the transaction knows.
   */
  async end(): Promise<void> {
    if (this.#current === null) return
    const { table, stream, failed } = this.#current
    this.#current = null
    if (stream.destroyed) return await failed
    stream.end()
    await Promise.race([this.#ask(table), failed])
    // When its stream closes, the driver says once more that this COPY has failed, which the server passes over
    // where none is under way: so none may be by then, and there is something after it that has an answer.
    if (!stream.closed) await once(stream, 'close')
    await this.#ask(table)
  }

  async #ask(table: TableHead): Promise<void> {
    try {
      await this.#transaction`SELECT`
    } catch (error) {
      throw refusal(table, error)
    }
  }
}

/** 25P02: the transaction has failed, because of the COPY; 22 and 23: data exceptions and constraints. */
function refusal(table: TableHead, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code !== '25P02' && !/^2[23]...$/.test(code)) return error
  return new OperatorError(`The database does not take the rows of ${table.name} (${code})`, { cause: error })
}
