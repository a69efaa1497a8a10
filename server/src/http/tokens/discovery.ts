import { isCallableUrl } from '../../config.ts'
import { type IssuerAnswer, IssuerCallError, type IssuerCalls } from './issuer-call.ts'

/**
 * Where an issuer that names only itself keeps its keys: OpenID Connect Discovery 1.0, section 4, and RFC
 * 8414 where that answers 404.
 * @throws IssuerCallError also where the document is another issuer's (section 4.3, RFC 8414 section 3.3), or
 * names keys that are neither at https nor on this machine
 */
export async function discoverKeys(issuer: string, calls: IssuerCalls, signal: AbortSignal): Promise<string> {
  const { json } = await metadata(issuer, calls, signal)
  const uri = json.jwks_uri
  if (json.issuer !== issuer || typeof uri !== 'string' || !isCallableUrl(uri))
    throw new IssuerCallError('invalid', 200)
  return uri
}

async function metadata(issuer: string, calls: IssuerCalls, signal: AbortSignal): Promise<IssuerAnswer> {
  const question = { issuer, about: 'discovery' as const }
  try {
    return await calls.ask({ ...question, url: openidUrl(issuer), mayBeElsewhere: true }, signal)
  } catch (error) {
    if (error instanceof IssuerCallError && error.status === 404)
      return calls.ask({ ...question, url: oauthUrl(issuer) }, signal)
    throw error
  }
}

/** The path of the issuer stands before the well-known one. */
export function openidUrl(issuer: string): string {
  const url = new URL(issuer)
  return `${url.origin}${withoutLastSlash(url.pathname)}/.well-known/openid-configuration`
}

/** The path of the issuer stands after the well-known one (RFC 8414, section 3.1). */
export function oauthUrl(issuer: string): string {
  const url = new URL(issuer)
  return `${url.origin}/.well-known/oauth-authorization-server${withoutLastSlash(url.pathname)}`
}

function withoutLastSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path
}
