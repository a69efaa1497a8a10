import type { OutgoingAttachment } from './connector.ts'
import type { MailAttachment } from './mail-message.ts'

/** The files' own bytes, for a mail that takes them along. */
export async function readAttachments(attachments: OutgoingAttachment[]): Promise<MailAttachment[]> {
  return Promise.all(
    attachments.map(async ({ filename, contentType, read }) => ({
      filename,
      contentType,
      content: await read(),
    })),
  )
}
