import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename } from 'node:path'
import type { NewAttachmentRow } from '../conversation/attachment-row.ts'
import type { Sql } from '../database/pool.ts'
import { OperatorError } from '../errors.ts'
import { type ReadAttachment, readAttachment } from '../tickets/attachment.ts'
import { toAttachmentRow } from '../tickets/new-ticket.ts'
import { openServerBlobs } from './server-blobs.ts'
import type { TicketShell } from './ticket-shell.ts'

/** As many as a request of the API may have. */
const MOST_FILES = 10

/**
 * The files that `--file` names, each with its own name and the type that its bytes tell.
 * @param limit of all their bytes together
 * @throws OperatorError where one cannot be read or is no file, or they are too many or too large
 */
export async function readFiles(paths: string[], limit: number): Promise<ReadAttachment[]> {
  if (paths.length > MOST_FILES) throw new OperatorError(`--file: expected at most ${MOST_FILES} files`)
  const files: ReadAttachment[] = []
  let room = limit
  for (const [at, path] of paths.entries()) {
    const bytes = await readWhole(path, room, paths.length === 1 ? '--file' : `--file ${at + 1}`)
    if (bytes === null) throw new OperatorError(`--file: expected at most ${limit} bytes in all`)
    room -= bytes.length
    const filename = basename(path).toWellFormed()
    files.push(await readAttachment({ filename, content_base64: bytes.toString('base64') }))
  }
  return files
}

/**
 * @param field what its errors name: which of several it is
 * @returns null where it is longer than `limit` bytes
 */
async function readWhole(path: string, limit: number, field: string): Promise<Buffer | null> {
  try {
    // Without waiting: a pipe or a device has no end that one could wait for.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    if (!(await file.stat()).isFile())
      throw new OperatorError(`${field}: expected a file, and no folder or device`)
    const pieces: Buffer[] = []
    let length = 0
    for await (const piece of file.createReadStream({ end: limit, autoClose: false })) {
      pieces.push(piece)
      length += piece.length
    }
    return length > limit ? null : Buffer.concat(pieces)
  } catch (error) {
    if (error instanceof Error && 'code' in error && !(error instanceof OperatorError))
      throw new OperatorError(`${field}: expected a file that can be read (${error.code})`)
    throw error
  }
}

/** Puts the bytes where the server finds them, before a row speaks of them. @throws OperatorError */
export async function keepFiles(
  { config }: Pick<TicketShell, 'config'>,
  sql: Sql,
  files: ReadAttachment[],
): Promise<NewAttachmentRow[]> {
  if (files.length === 0) return []
  const blobs = await openServerBlobs(config.environment, sql)
  for (const { sha256, bytes } of files) await blobs.put(sha256, bytes)
  return files.map(toAttachmentRow)
}
