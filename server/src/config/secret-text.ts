/**
 * The bytes of a secret as a file or the environment writes it: base64 (RFC 4648, section 4) with its padding.
 * @returns null where the text is anything else, or has fewer bytes
 */
export function secretBytes(text: string, least: number): Buffer | null {
  const bytes = Buffer.from(text, 'base64')
  return bytes.length >= least && bytes.toString('base64') === text ? bytes : null
}

/** Standard Webhooks 1.0.0, "Signature scheme": 24 to 64 random bytes behind `whsec_`. */
export function webhookSecretBytes(text: string): Buffer | null {
  if (!text.startsWith('whsec_')) return null
  const bytes = secretBytes(text.slice('whsec_'.length), 24)
  return bytes !== null && bytes.length <= 64 ? bytes : null
}
