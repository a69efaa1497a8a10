import { createHash } from 'node:crypto'
import { comparableAddress } from '../../mail/address.ts'
import { type Field, valuesOf } from './raw-head.ts'

/** What a mail's header says of itself beside who sent it. Everything is read from the raw fields. */
export type HeadFacts = {
  /** With its brackets, as written. */
  messageId: string | null
  /** SHA-256 in hexadecimal over what its sender wrote into it; null: it has neither a date nor anything as Message-ID. */
  headDigest: string | null
  inReplyTo: string[]
  references: string[]
  /** Whom it was sent to, as the header and the mail server on the way say; domains in lower case. */
  recipients: string[]
  /** `` where the mail came with an empty return path, null where nothing says. */
  returnPath: string | null
  date: Date | null
  automatic: Automatic
}

export type Automatic = {
  /** RFC 3834, section 5: its first word, in lower case. */
  autoSubmitted: string | null
  precedence: string | null
  autoreply: boolean
  listId: boolean
  /** X-Auto-Response-Suppress: no automatic answer is wanted. */
  suppress: boolean
  emptyReturnPath: boolean
}

/** Precedence of what a machine sends to many, or in answer. */
export const BULK: ReadonlySet<string> = new Set(['bulk', 'junk', 'auto_reply'])

const RECIPIENT_FIELDS = [
  'to',
  'cc',
  'delivered-to',
  'x-original-to',
  'envelope-to',
  'x-envelope-to',
  'x-delivered-to',
]
/** What a mail has from its sender. Of those who carry it each writes fields of its own, and another copy has others. */
const WRITTEN_FIELDS = ['message-id', 'date', 'from', 'to', 'cc', 'subject', 'in-reply-to', 'references']
/** Either tells apart two mails of the same words. */
const TELLING_FIELDS = ['message-id', 'date']
const MOST_RECIPIENTS = 500
/** Of one field of Message-IDs; the newest stand last (RFC 5322, section 3.6.4). */
const MOST_REFERENCES = 100
/** Without control characters: a NUL is taken by no text column. */
const MESSAGE_ID = /<[^<>\s\p{Cc}]{1,996}>/gu

export function headFacts(fields: readonly Field[]): HeadFacts {
  const first = (name: string) => valuesOf(fields, name)[0]
  const returnPath = readReturnPath(first('return-path'))
  const autoreply = [...valuesOf(fields, 'x-autoreply'), ...valuesOf(fields, 'x-autorespond')]
  const suppress = first('x-auto-response-suppress')?.toLowerCase() ?? ''
  return {
    messageId: messageIds(valuesOf(fields, 'message-id'))[0] ?? null,
    headDigest: digestOf(fields),
    inReplyTo: messageIds(valuesOf(fields, 'in-reply-to')),
    references: messageIds(valuesOf(fields, 'references')),
    recipients: readRecipients(fields),
    returnPath,
    date: readDate(first('date')),
    automatic: {
      autoSubmitted: ofMachine(valuesOf(fields, 'auto-submitted'), (word) => word !== 'no'),
      precedence: ofMachine(valuesOf(fields, 'precedence'), (word) => BULK.has(word)),
      autoreply: autoreply.some((value) => !/^(no|false)?$/i.test(value)),
      listId: first('list-id') !== undefined,
      suppress: suppress !== '' && suppress !== 'none',
      emptyReturnPath: returnPath === '',
    },
  }
}

/** By the names' order here, and without regard to spaces: who carries a mail may fold its lines anew. */
function digestOf(fields: readonly Field[]): string | null {
  const written = WRITTEN_FIELDS.map((name) =>
    valuesOf(fields, name).map((value) => value.replace(/\s+/g, ' ')),
  )
  const isTold = TELLING_FIELDS.some((name) => valuesOf(fields, name).some((value) => value !== ''))
  return isTold ? createHash('sha256').update(JSON.stringify(written)).digest('hex') : null
}

function messageIds(values: string[]): string[] {
  const ids = values.flatMap((value) => value.match(MESSAGE_ID) ?? [])
  return [...new Set(ids)].slice(-MOST_REFERENCES)
}

/**
 * Leniently: a signed address proves itself wherever it stands, and one that is not ours is of no use to anybody.
 */
function readRecipients(fields: readonly Field[]): string[] {
  const found = new Set<string>()
  for (const { name, value } of fields) {
    if (!RECIPIENT_FIELDS.includes(name)) continue
    for (const word of value.split(/[\s<>,;:"'()]+/)) {
      if (word.length > 254 || !/^[^@\p{Cc}]+@[^@\p{Cc}]+$/u.test(word)) continue
      found.add(comparableAddress(word))
      if (found.size === MOST_RECIPIENTS) return [...found]
    }
  }
  return [...found]
}

function readReturnPath(value: string | undefined): string | null {
  if (value === undefined) return null
  const path = /^<([^<>]*)>/.exec(value)?.[1] ?? value
  return comparableAddress(path.trim())
}

function readDate(value: string | undefined): Date | null {
  const date = new Date((value ?? '').slice(0, 200).replace(/\([^()]*\)/g, ' '))
  return Number.isNaN(date.getTime()) ? null : date
}

/** Of a field that came more than once, the word that a machine would write; else the topmost one's. */
function ofMachine(values: string[], isMachine: (word: string) => boolean): string | null {
  const words = values.map(firstWord).filter((word) => word !== null)
  return words.find(isMachine) ?? words[0] ?? null
}

/** In lower case; a comment may stand before it (RFC 5322, section 3.2.2). */
function firstWord(value: string): string | null {
  return (
    /^(?:\([^()]*\)\s*)*([^\s;,()]+)/
      .exec(
        value
          .slice(0, 1000)
          .replace(/\p{Cc}/gu, ' ')
          .trim(),
      )?.[1]
      ?.toLowerCase() ?? null
  )
}
