import type { ImapMailbox } from '../../config.ts'
import { imapFault, MailboxSession } from './mailbox-session.ts'

/** What to do about a fault, by its code; of any other the code says all there is. */
const ADVICE: Record<string, string> = {
  LOGIN_REFUSED: 'the server refused the login: check user and password in inbound.imap',
  NO_MAILBOX: 'there is no such mailbox: check the name after the host in inbound.imap',
  ECONNREFUSED: 'nothing listens there: check host and port in inbound.imap',
  ENOTFOUND: 'there is no such host: check inbound.imap',
  ERR_SSL_WRONG_VERSION_NUMBER:
    'it does not speak TLS there: check the port, or imap:// with ?requireTLS=true',
}

/**
 * Logs in and opens the mailbox for reading, as whoever reads it will.
 * @param signal ends it
 */
export async function verifyMailbox(
  settings: ImapMailbox,
  signal: AbortSignal,
): Promise<{ ok: boolean; detail: string }> {
  let session: MailboxSession | null = null
  try {
    session = await MailboxSession.open(settings, signal)
    await session.look()
    return { ok: true, detail: 'the login holds, and the mailbox can be read' }
  } catch (error) {
    const code = imapFault(error)
    const detail =
      ADVICE[code] ?? 'the mailbox cannot be read: check inbound.imap, and that the server answers'
    return { ok: false, detail: `${code}: ${detail}` }
  } finally {
    await session?.close()
  }
}
