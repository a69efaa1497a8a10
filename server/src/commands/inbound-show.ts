import { OperatorError } from '../errors.ts'
import type { MailLine } from '../inbound/quarantine.store.ts'
import { readForShow } from '../inbound/quarantine.ts'
import type { ReadMail, Unreadable } from '../inbound/reading/read-mail.ts'
import { findMail, type InboundTools, withInbound } from './inbound-database.ts'
import { mailToJson } from './inbound-list.ts'
import { forTerminal, jsonOnTerminal, onOneLine } from './terminal-text.ts'

/** Characters of a mail's text that are shown; all of it is in what `--raw` writes. */
const TEXT_LENGTH = 20_000

export type InboundShowOptions = { raw?: boolean; json?: boolean }

/** `bellhop inbound show ID`: what is known of a mail and what it says; with `--raw` the mail as it came. */
export async function inboundShowCommand(
  id: string,
  options: InboundShowOptions,
  out: NodeJS.WritableStream & { isTTY?: boolean },
): Promise<void> {
  await withInbound(async (tools) => {
    const line = await findMail(tools, id)
    if (options.raw) {
      const { raw } = await contentOf(tools, line)
      // A file gets the bytes as they are; a terminal does not do what a stranger wrote.
      out.write(out.isTTY === true ? forTerminal(raw.toString('utf8')) : raw)
      return
    }
    const read = line.sha256 === null ? null : (await contentOf(tools, line)).read
    if (options.json) out.write(jsonOnTerminal({ ...mailToJson(line), ...contentToJson(read) }))
    else out.write(describe(line, read))
  })
}

async function contentOf(tools: InboundTools, { sha256 }: MailLine) {
  if (sha256 === null) throw new OperatorError('The mail as it came was kept for INBOUND_KEEP, and is gone.')
  return await readForShow(tools, sha256)
}

function describe(line: MailLine, read: ReadMail | Unreadable | null): string {
  const fields = Object.entries(mailToJson(line)).map(
    ([name, value]) => `${name.padEnd(16)}${value === null ? '-' : onOneLine(String(value))}\n`,
  )
  if (read === null) return `${fields.join('')}\nThe mail as it came is not kept any more.\n`
  if ('unreadable' in read)
    return `${fields.join('')}\nThe mail cannot be read (${read.unreadable}): see --raw.\n`
  const content = Object.entries({
    subject: read.subject,
    name: read.from?.name ?? '-',
    to: read.recipients.join(', '),
    files: read.attachments.map(({ filename, bytes }) => `${filename} (${bytes.length} bytes)`).join(', '),
  }).map(([name, value]) => `${name.padEnd(16)}${value === '' ? '-' : onOneLine(value)}\n`)
  const { wholeText } = read
  const more =
    wholeText.length > TEXT_LENGTH ? `\n(${wholeText.length - TEXT_LENGTH} more characters: see --raw)` : ''
  return `${fields.join('')}${content.join('')}\n${forTerminal(wholeText.slice(0, TEXT_LENGTH))}${more}\n`
}

function contentToJson(read: ReadMail | Unreadable | null): object {
  if (read === null || 'unreadable' in read) return {}
  return {
    subject: read.subject,
    name: read.from?.name ?? null,
    to: read.recipients,
    text: read.wholeText,
    attachments: read.attachments.map(({ filename, declaredType, bytes }) => ({
      filename,
      content_type: declaredType,
      size: bytes.length,
    })),
  }
}
