import type { Mailbox } from './brands.ts'
import { parseMailbox } from './mailbox.ts'

/** The checks have seen to it already; without it the start must not go on. */
export function checked<T>(value: T | null | undefined): T {
  if (value === null || value === undefined)
    throw new Error('A brands file passed its checks and is not whole.')
  return value
}

export function mailboxOf(text: string): Mailbox {
  return checked(parseMailbox(text))
}
