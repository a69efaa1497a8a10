import type { ImapMailbox } from '../../../src/config.ts'

/** An IMAP server with one mailbox, as the tests need it. */
export type TestImapServer = {
  /** Where it listens, and the account. */
  settings: ImapMailbox
  /** A mail arrives. */
  append(raw: Buffer): Promise<void>
  /** Removes the mail that arrived first of those that are there. */
  removeFirst(): Promise<void>
  /** The mailbox is lost and put back: the same mails in the same order, under another UIDVALIDITY. */
  reset(): Promise<void>
  /** How many mails there are, and how many of them nobody has read. */
  count(): Promise<{ messages: number; unseen: number }>
  close(): Promise<void>
}
