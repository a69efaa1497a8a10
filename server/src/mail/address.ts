/**
 * An address as it is compared and kept: its domain in lower case, the local part as it was written, since only
 * the domain is known to be the same in any case (RFC 5321, section 2.4).
 */
export function comparableAddress(address: string): string {
  const at = address.lastIndexOf('@') + 1
  return address.slice(0, at) + address.slice(at).toLowerCase()
}
