import type { ImapMailbox } from './brands.ts'
import { isLoopbackHost } from './web-address.ts'

const HOST = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])$/
const NAME_LIMIT = 200

/**
 * Reads a mailbox's URL, `imaps://user:password@host:993/INBOX` (after RFC 5092). Without a path it is INBOX.
 * `imap://` is for loopback, or with `?requireTLS=true`, since a password may leave this machine only encrypted.
 * @returns sentences that say what was expected and repeat no value, where the URL cannot be used
 */
export function readImapUrl(text: string): ImapMailbox | string[] {
  const url = /^imaps?:\/\/[!-~]+$/.test(text) && !/[\\#]/.test(text) ? URL.parse(text) : null
  if (url === null || !HOST.test(url.hostname) || url.port === '0') {
    return ['expected imaps://user:password@host:port/mailbox, with what is special in them percent-encoded']
  }
  const user = decoded(url.username)
  const pass = decoded(url.password)
  const mailbox = url.pathname.length > 1 ? decoded(url.pathname.slice(1)) : 'INBOX'
  const faults: string[] = []
  if (!user || !pass) faults.push('expected credentials as user:password@, both percent-encoded')
  if (!mailbox) faults.push('expected the name of one mailbox after the host, percent-encoded')
  const options = [...url.searchParams]
  if (
    options.length > 1 ||
    options.some(([name, value]) => name !== 'requireTLS' || !/^(?:true|false)$/.test(value))
  ) {
    faults.push('expected no option but requireTLS=true')
  }
  const secure = url.protocol === 'imaps:'
  const requireTls = url.searchParams.get('requireTLS') === 'true'
  if (!secure && !requireTls && !isLoopbackHost(url.hostname)) {
    faults.push('expected imaps:// or ?requireTLS=true (without them only to loopback)')
  }
  if (!user || !pass || !mailbox || faults.length > 0) return faults
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (secure ? 993 : 143) : Number(url.port),
    secure,
    requireTls,
    user,
    pass,
    mailbox,
  }
}

/** Null where it is not percent-encoded UTF-8, or holds what a command cannot. */
function decoded(text: string): string | null {
  try {
    const plain = decodeURIComponent(text)
    return plain.length <= NAME_LIMIT && !/\p{Cc}/u.test(plain) ? plain : null
  } catch {
    return null
  }
}
