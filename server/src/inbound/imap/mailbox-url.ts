import type { ImapMailbox } from '../../config.ts'

/** Which mailbox it is (RFC 5092), without the password: another server, account or mailbox is another one. */
export function mailboxUrl({ user, host, port, mailbox }: ImapMailbox): string {
  return `imap://${encodeURIComponent(user)}@${host.toLowerCase()}:${port}/${encodeURIComponent(mailbox)}`
}
