import { type ReadMail, readMail } from '../../../src/inbound/reading/read-mail.ts'
import { fakeDns } from '../signed-mail.ts'

/** Reads a mail in this thread, which must be readable. */
export async function read(
  raw: string | Buffer,
  {
    resolve = fakeDns({}),
    trustedAuthservIds = [],
  }: { resolve?: ReturnType<typeof fakeDns>; trustedAuthservIds?: string[] } = {},
): Promise<ReadMail> {
  const mail = await readMail(Buffer.from(raw), { resolve, trustedAuthservIds })
  if ('unreadable' in mail) throw new Error(`the mail is unreadable: ${mail.unreadable}`)
  return mail
}
