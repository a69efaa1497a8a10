import { OperatorError } from '../errors.ts'

/**
 * Does work that writes to stdout what is worth nothing unless all of it arrives.
 * @throws OperatorError where stdout broke: its reader has gone, or its disk is full
 */
export async function wholeOnStdout<T>(out: NodeJS.WriteStream, work: () => Promise<T>): Promise<T> {
  let broken: NodeJS.ErrnoException | null = null
  const onError = (error: Error) => {
    broken ??= error
  }
  out.on('error', onError)
  try {
    return await work()
  } catch (error) {
    const cause = broken as NodeJS.ErrnoException | null
    if (cause === null) throw error
    throw new OperatorError(`stdout: the archive did not arrive whole (${cause.code ?? cause.name})`, {
      cause,
    })
  } finally {
    out.off('error', onError)
  }
}
