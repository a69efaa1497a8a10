import { isMailbox } from '@bellhop/contract'
import type { Mailbox } from './brands.ts'

const NAME_LIMIT = 200

/**
 * One mailbox as a header writes it (RFC 5322, section 3.4): `support@acme.example`,
 * `Acme Support <support@acme.example>` or `"Support, Acme" <support@acme.example>`.
 *
 * A name without quotes may hold any script but none of `"<>@,;\`, which would make a list or a second
 * address of it.
 * @returns null where the text is not one mailbox
 */
export function parseMailbox(text: string): Mailbox | null {
  if (isMailbox(text)) return { name: '', address: text }
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(text) || !text.isWellFormed()) return null
  const quoted = /^"((?:[^"\\]|\\.)*)"\s*<(.+)>$/.exec(text)
  const plain = /^([^"<>@,;\\]*)<(.+)>$/.exec(text)
  const name = quoted?.[1]?.replaceAll(/\\(.)/g, '$1') ?? plain?.[1]?.trim()
  const address = quoted?.[2] ?? plain?.[2]
  if (name === undefined || address === undefined || !isMailbox(address)) return null
  return name.length <= NAME_LIMIT ? { name, address } : null
}
