import { authenticate, type DKIMResult, type DNSResolver } from 'mailauth'
import { domainOf, type MethodResult, type TrustedResults, trustedResults } from './authentication-results.ts'
import type { FromRead } from './from-field.ts'
import { type Field, valuesOf } from './raw-head.ts'

/**
 * Whether the address in From is proven. DMARC decides (RFC 7489, RFC 9989); where the domain publishes none, one
 * aligned signature over the whole body, or SPF as a trusted server found it: a mail that comes by HTTP, IMAP or a
 * pipe has no session to judge that by.
 */
export type Authentication = {
  passed: boolean
  by: 'dmarc' | 'dkim' | 'spf' | 'authserv' | null
  /** Of From, as an A-label in lower case; null where From is at fault. */
  domain: string | null
  /** It could not be told, and may be told later. */
  temporary: boolean
  /** As judged. */
  address: string | null
}

/** As `dns.promises.resolve`: rejects with `code` ENOTFOUND or ENODATA where there is nothing. */
export type Resolve = (name: string, type: string) => Promise<unknown>

/** Signatures in one mail. A mailing list adds one or two; each costs a pass over the body and a look at DNS. */
const MOST_SIGNATURES = 20

/** @returns `agrees`: false where mailauth reads another author than we do, so that nobody can be said to speak */
export async function judge(
  raw: Buffer,
  fields: readonly Field[],
  from: FromRead,
  options: { resolve: Resolve; trustedAuthservIds: readonly string[] },
): Promise<{ authentication: Authentication; agrees: boolean }> {
  const unproven = { passed: false, by: null, temporary: false } as const
  if (from.fault !== null) {
    return { authentication: { ...unproven, domain: null, address: null }, agrees: true }
  }
  const { domain, address } = from
  const results = trustedResults(fields, options.trustedAuthservIds)
  const signatures = valuesOf(fields, 'dkim-signature')
  if (signatures.length > MOST_SIGNATURES) {
    return { authentication: { ...unproven, domain, address }, agrees: true }
  }
  const isTrusted = hasTrustedPass(results, domain)
  const judged = await authenticate(raw, {
    // Where a trusted server has judged already, only its reading of From is wanted, and no DNS.
    resolver: (isTrusted ? nothingThere : options.resolve) as DNSResolver,
    mta: 'bellhop.invalid',
    minBitLength: 1024,
    rejectRsaSha1: true,
    disableArc: true,
    disableBimi: true,
  })
  const { headerFrom, fromFields } = judged.dkim
  const agrees = fromFields === 1 && headerFrom.length === 1 && isSame(headerFrom[0] ?? '', from)
  if (!agrees) return { authentication: { ...unproven, domain: null, address: null }, agrees }
  const dmarc = judged.dmarc ? judged.dmarc.status.result : 'permerror'
  const verdict: Verdict = isTrusted
    ? { passed: true, by: 'authserv', temporary: false }
    : decide(judged.dkim.results, dmarc, results, domain)
  return { authentication: { ...verdict, domain, address }, agrees }
}

type Verdict = Pick<Authentication, 'passed' | 'by' | 'temporary'>

function decide(
  signatures: DKIMResult[],
  dmarc: string,
  results: TrustedResults | null,
  domain: string,
): Verdict {
  // No session is known here, so DMARC can only rest on signatures; one with l= leaves room below what it covers.
  const aligned = signatures.filter(({ status }) => typeof status.aligned === 'string')
  const proofs = aligned.filter(
    (found) => found.status.result === 'pass' && found.canonBodyLengthLimited === false,
  )
  if (dmarc === 'pass' && proofs.length > 0) return { passed: true, by: 'dmarc', temporary: false }
  if (dmarc === 'none') {
    // A domain that tests its signatures wants them to say nothing (RFC 6376, section 3.6.1).
    const isProven = proofs.some(({ status }) => status.testing !== true)
    if (isProven) return { passed: true, by: 'dkim', temporary: false }
    if (hasTrustedSpf(results, domain)) return { passed: true, by: 'spf', temporary: false }
  }
  const isUnclear = aligned.some(({ status }) => status.result === 'temperror')
  return { passed: false, by: null, temporary: dmarc === 'temperror' || isUnclear }
}

function hasTrustedPass(results: TrustedResults | null, domain: string): boolean {
  const isPass = ({ method, result, properties }: MethodResult) =>
    method === 'dmarc' && result === 'pass' && domainOf(properties.get('header.from')) === domain
  return results?.methods.some(isPass) ?? false
}

/** Aligned where the sender's domain is From's or below it: stricter than DMARC, and needs no list of suffixes. */
function hasTrustedSpf(results: TrustedResults | null, domain: string): boolean {
  const isPass = ({ method, result, properties }: MethodResult) => {
    const sender = domainOf(properties.get('smtp.mailfrom'))
    return (
      method === 'spf' && result === 'pass' && (sender === domain || sender?.endsWith(`.${domain}`) === true)
    )
  }
  return results?.methods.some(isPass) ?? false
}

async function nothingThere(): Promise<never> {
  throw Object.assign(new Error('not asked'), { code: 'ENODATA' })
}

/** Whether mailauth read the same address. It may leave out the quotes of a local part. */
function isSame(judged: string, from: { localPart: string; domain: string }): boolean {
  const at = judged.lastIndexOf('@')
  const localPart = judged.slice(0, at)
  const plain = from.localPart.replace(/^"(.*)"$/s, '$1').replace(/\\(.)/gs, '$1')
  const isLocal = localPart === from.localPart || localPart === plain
  const host = judged.slice(at + 1).toLowerCase()
  return isLocal && (host === from.domain || domainOf(judged) === from.domain)
}
