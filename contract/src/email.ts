import { IsIPv6 } from 'typebox/format'

const LOCAL_PART_LIMIT = 64
const MAILBOX_LIMIT = 254

const ATEXT = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
const DOT_STRING = new RegExp(`^${ATEXT}(?:\\.${ATEXT})*$`)
const QUOTED_STRING = /^"(?:[ !#-[\]-~]|\\[ -~])*"$/
const DOMAIN =
  /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/
const IPV4_LITERAL = /^\[(?:(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]{1,2})(?:\.(?!\])|(?=\]))){4}\]$/

/**
 * Is the text a Mailbox (RFC 5321, section 4.1.2) within its limits (section 4.5.3.1): a local part of at
 * most 64 octets, 254 octets in all (erratum 1690 to RFC 3696), printable ASCII only?
 *
 * A quoted local part, a domain without a dot and an IPv4 or IPv6 address literal are mailboxes too. Other
 * address literals are not, since no tag besides IPv6 has been registered.
 */
export function isMailbox(text: string): boolean {
  if (text.length > MAILBOX_LIMIT) return false
  // A domain holds no `@`, a quoted local part may.
  const at = text.lastIndexOf('@')
  if (at < 1 || at > LOCAL_PART_LIMIT) return false
  const localPart = text.slice(0, at)
  const domain = text.slice(at + 1)
  if (!DOT_STRING.test(localPart) && !QUOTED_STRING.test(localPart)) return false
  if (!domain.startsWith('[')) return DOMAIN.test(domain)
  return IPV4_LITERAL.test(domain) || isIpv6Literal(domain)
}

function isIpv6Literal(domain: string): boolean {
  return /^\[IPv6:.+\]$/i.test(domain) && IsIPv6(domain.slice('[IPv6:'.length, -1))
}
