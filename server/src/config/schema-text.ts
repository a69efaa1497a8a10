import Type from 'typebox'
import { parseMailbox } from './mailbox.ts'

/** Kinds of text that several settings share. `expected` is the end of the sentence "expected …". */

const TEXT_LIMIT = 200

export function text(expected: string, check: (text: string) => boolean) {
  return Type.Refine(Type.String({ expected }), check)
}

export const plainText = text(
  'a text of 1 to 200 characters, without line breaks',
  (text) => text !== '' && text.length <= TEXT_LIMIT && !/\p{Cc}/u.test(text) && text.isWellFormed(),
)

export const mailbox = text(
  'one mailbox, such as support@acme.example or Acme Support <support@acme.example>',
  (text) => parseMailbox(text) !== null,
)
