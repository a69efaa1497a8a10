import { Readable } from 'node:stream'
import type { BrandMail } from '../config.ts'
import { inTurns } from './in-turns.ts'
import type { ComposedMail } from './mail-message.ts'

/** What is signed, where it is there: all that a reader sees or acts on (RFC 6376, section 5.4.1). */
const SIGNED = [
  'From',
  'To',
  'Subject',
  'Date',
  'Message-ID',
  'Reply-To',
  'In-Reply-To',
  'References',
  'Auto-Submitted',
  'MIME-Version',
  'Content-Type',
  'Content-Transfer-Encoding',
]

/**
 * The mail with its signature in front (RFC 6376; Ed25519 by RFC 8463): relaxed, over the whole body. It is made of
 * the bytes that go over the wire, and its time is the mail's own, so that every retry is the same mail.
 * @throws where the key cannot sign, which the start has checked
 */
export async function signDkim(
  { domain, selector, key }: NonNullable<BrandMail['dkim']>,
  mail: ComposedMail,
  date: Date,
): Promise<ComposedMail> {
  // Loaded where a brand signs, and only there: it brings more than half of what a worker weighs otherwise.
  const { dkimSign } = await import('mailauth/lib/dkim/sign.js')
  const signer = { signingDomain: domain, selector, privateKey: key }
  const input = Readable.from(inTurns(mail.pieces()), { objectMode: false })
  const { signatures, errors } = await dkimSign(input, {
    ...signer,
    signatureData: [signer],
    canonicalization: 'relaxed/relaxed',
    signTime: date,
    headerList: SIGNED,
    strict: true,
  })
  if (errors.length > 0 || signatures === '') throw new Error('A mail could not be signed by its DKIM key.')
  const signature = Buffer.from(signatures, 'latin1')
  return {
    size: signature.length + mail.size,
    *pieces() {
      yield signature
      yield* mail.pieces()
    },
  }
}
