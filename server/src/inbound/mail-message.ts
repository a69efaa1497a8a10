import type { Brand } from '../config.ts'
import type { NewAttachmentRow } from '../conversation/attachment-row.ts'
import type { Said } from '../conversation/say.ts'
import { newUuid } from '../ids.ts'
import { removeSignedAddresses } from '../mail/reply-address.ts'
import { digestMail } from './mail-bytes.ts'
import { readOwnMessageId } from './own-mail.ts'
import { readHead, valuesOf } from './reading/raw-head.ts'
import type { ReadMail } from './reading/read-mail.ts'
import type { Speaker } from './speakers.ts'

/** What tells a file's type lies at its head, and a hostile file must not make the search long. */
const HEAD = 64 * 1024
/** Octets of a Message-ID that is kept: a line of a header has no more (RFC 5322, section 2.1.1). */
const MESSAGE_ID_OCTETS = 998

/** A mail's words as a message keeps them. */
export type Words = Pick<Said, 'body' | 'wholeText' | 'html'>

/**
 * What of a mail is said. An agent's answer is its newest text and nothing else, since the rest may be meant for the
 * desk alone. Of a customer's, where that cannot be told, it is the whole text, so that nothing is lost; and where it
 * `answers` nothing of ours, too, since what it quotes then is what they want to be read. Addresses that were signed for somebody are in neither, of whichever brand; the whole text stays as it came.
 */
export function wordsOf(
  mail: ReadMail,
  author: Speaker['author'],
  brands: Iterable<Pick<Brand, 'reply'>>,
  answers = true,
): Words {
  const replies = Array.from(brands, ({ reply }) => reply).filter((reply) => reply !== null)
  const cleared = (text: string) => storable(removeSignedAddresses(replies, text))
  const isLost = !answers || mail.uncertain || mail.newestText.trim() === ''
  const body = author !== 'agent' && isLost ? mail.wholeText : mail.newestText
  return {
    body: cleared(body),
    wholeText: storable(mail.wholeText),
    html: mail.html === null ? null : cleared(mail.html),
  }
}

/** Text as PostgreSQL takes it: without NUL, and without halves of characters. */
export function storable(text: string): string {
  return text.replaceAll('\0', '\ufffd').toWellFormed()
}

/** A Message-ID to be kept; null where it is too long to be one. */
export function storableId(mailId: string | null): string | null {
  if (mailId === null || Buffer.byteLength(mailId) > MESSAGE_ID_OCTETS) return null
  return storable(mailId)
}

/** A mail's file, before its bytes are put anywhere. `isBody`: it is what the mail says. */
export type MessageFile = { row: NewAttachmentRow; bytes: Buffer; isBody: boolean }

/**
 * What goes with what somebody says by mail. Of an agent's the body is not among it, as in {@link wordsOf}, nor the mail
 * of ours that they answer, which some programs attach whole.
 */
export function filesSaidBy(author: Speaker['author'], files: MessageFile[]): MessageFile[] {
  return author === 'agent' ? files.filter((file) => !file.isBody && !isOurMail(file)) : files
}

function isOurMail({ row, bytes }: MessageFile): boolean {
  if (row.declaredType !== 'message/rfc822') return false
  const fields = readHead(bytes)?.fields ?? []
  return valuesOf(fields, 'message-id').some((mailId) => readOwnMessageId(mailId) !== null)
}

/** A mail's files with their digests. */
export async function filesOf(mail: ReadMail): Promise<MessageFile[]> {
  const files: MessageFile[] = []
  for (const { filename, declaredType, bytes, isBody } of mail.attachments) {
    const row: NewAttachmentRow = {
      attachmentId: newUuid(),
      filename: storable(filename),
      declaredType: declaredType === null ? null : storable(declaredType),
      detectedType: await detectType(bytes),
      sha256: await digestMail(bytes),
      size: bytes.length,
    }
    files.push({ row, bytes, isBody })
  }
  return files
}

async function detectType(bytes: Buffer): Promise<string | null> {
  try {
    const { fileTypeFromBuffer } = await import('file-type')
    return (await fileTypeFromBuffer(bytes.subarray(0, HEAD)))?.mime ?? null
  } catch {
    // A file that breaks the detection has no type that we know.
    return null
  }
}
