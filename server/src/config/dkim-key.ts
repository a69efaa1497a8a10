import { createPrivateKey } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { readBounded } from './read-bounded.ts'

/** RFC 8301, section 3.2. */
const RSA_BITS = 2048
const READ_BY_OTHERS = 0o007

/**
 * Reads a private key that signs mail (RFC 6376; Ed25519 by RFC 8463) from a file of its own.
 * @returns the key in PEM, or a sentence that says what is wrong with the file and repeats no value
 */
export async function readDkimKey(path: string): Promise<{ key: string } | { fault: string }> {
  const bytes = await readBounded(path)
  if (typeof bytes === 'string') return { fault: `expected a file that can be read (${bytes})` }
  if ((await stat(path)).mode & READ_BY_OTHERS) {
    return { fault: 'expected a file that other users cannot read: chmod 600, or 640 for a group' }
  }
  const pem = bytes.toString('latin1')
  const fault = keyFault(pem)
  return fault === null ? { key: pem } : { fault: `expected ${fault} in the file` }
}

function keyFault(pem: string): string | null {
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = createPrivateKey(pem)
    if (asymmetricKeyType === 'ed25519') return null
    if (asymmetricKeyType !== 'rsa') return 'a key of RSA or Ed25519'
    return (asymmetricKeyDetails?.modulusLength ?? 0) >= RSA_BITS
      ? null
      : `an RSA key of at least ${RSA_BITS} bits`
  } catch {
    return 'a private key in PEM, without a passphrase'
  }
}
