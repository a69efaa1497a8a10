/**
 * Base32 (RFC 4648, section 6) in lower case and without padding: it survives a way that changes the case of an
 * address, as base64 would not.
 */
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'

export function toBase32(bytes: Uint8Array): string {
  let text = ''
  let bits = 0
  let value = 0
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += ALPHABET[(value >> bits) & 31]
    }
  }
  return bits > 0 ? text + ALPHABET[(value << (5 - bits)) & 31] : text
}

/** The bytes, or null where the text is not what {@link toBase32} writes for any; case does not count. */
export function fromBase32(text: string): Buffer | null {
  const bytes = Buffer.alloc(Math.floor((text.length * 5) / 8))
  let length = 0
  let bits = 0
  let value = 0
  for (const char of text.toLowerCase()) {
    const digit = ALPHABET.indexOf(char)
    if (digit === -1) return null
    value = ((value << 5) | digit) & 0xfff
    bits += 5
    if (bits < 8) continue
    bits -= 8
    bytes[length] = (value >> bits) & 0xff
    length += 1
  }
  // Bits that are left over must be zeros, so that one value has one spelling.
  return toBase32(bytes) === text.toLowerCase() ? bytes : null
}
