import { hash } from 'node:crypto'

/** A strong entity tag (RFC 9110, section 8.8.3) of a text. */
export function etagOf(text: string): string {
  return `"${hash('sha256', text, 'base64url').slice(0, 27)}"`
}

/**
 * Does the caller have it already? By weak comparison (RFC 9110, section 13.1.2), since a proxy that compresses may
 * have weakened the tag.
 * @param etag ours, strong
 */
export function isKnown(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false
  if (ifNoneMatch.trim() === '*') return true
  return ifNoneMatch.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
}
