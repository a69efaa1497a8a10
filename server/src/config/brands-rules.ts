import { checkInboundSecrets, checkMail, checkMailboxes } from './brands-mail-rules.ts'
import { isMap, type Mistake, type Path } from './mistakes.ts'
import { smtpUrlFaults } from './smtp-url.ts'

/**
 * What one place in the brands file asks of another, which a schema cannot say. It looks at a file that may
 * have other mistakes too, so that all are told at once.
 */
export function checkRules(file: unknown, mistakes: Mistake[]): void {
  const issuers = entriesOf(file, 'issuers')
  const brands = entriesOf(file, 'brands')
  checkUnique('issuers', 'issuer', issuers, mistakes)
  checkUnique('brands', 'id', brands, mistakes)
  for (const [index, issuer] of issuers.entries()) checkIssuer(issuer, ['issuers', index], mistakes)
  checkTokenPrefixes(issuers, mistakes)

  const known = new Set(issuers.map((issuer) => issuer.issuer))
  for (const [index, brand] of brands.entries()) checkBrand(brand, known, ['brands', index], mistakes)
  checkMailboxes(brands, mistakes)
  checkInboundSecrets(brands, mistakes)
}

type Entry = Record<string, unknown>

function entriesOf(file: unknown, key: string): Entry[] {
  const list = isMap(file) ? file[key] : []
  return Array.isArray(list) ? list.map((entry) => (isMap(entry) ? entry : {})) : []
}

function checkUnique(list: string, key: string, entries: Entry[], mistakes: Mistake[]): void {
  const first = new Map<string, number>()
  for (const [index, entry] of entries.entries()) {
    const id = entry[key]
    if (typeof id !== 'string') continue
    const taken = first.get(id)
    if (taken === undefined) first.set(id, index)
    else {
      mistakes.push({
        path: [list, index, key],
        sentence: `duplicate, expected another ${key} than ${list}[${taken}] has`,
      })
    }
  }
}

function checkIssuer(issuer: Entry, path: Path, mistakes: Mistake[]): void {
  const has = (key: string) => Object.hasOwn(issuer, key)
  const sources = ['jwks_uri', 'jwks_file', 'introspection'].filter(has)
  if (sources.length > 1) {
    mistakes.push({
      path,
      sentence: `expected at most one of jwks_uri, jwks_file and introspection, not ${sources.join(' and ')}`,
    })
  }
  if (has('introspection') && has('algorithms')) {
    mistakes.push({
      path: [...path, 'algorithms'],
      sentence: 'expected no algorithms beside introspection, where the issuer judges its tokens',
    })
  }
  if (!has('introspection') && !has('audience') && has('issuer')) {
    mistakes.push({
      path: [...path, 'audience'],
      sentence: 'missing, expected one audience that the aud of its tokens must hold',
    })
  }
}

/** An opaque token does not say whose it is, so its first characters must. */
function checkTokenPrefixes(issuers: Entry[], mistakes: Mistake[]): void {
  const introspecting = issuers.flatMap((issuer, index) =>
    isMap(issuer.introspection) ? [{ index, prefix: issuer.introspection.token_prefix }] : [],
  )
  if (introspecting.length < 2) return
  for (const { index, prefix } of introspecting) {
    const path = ['issuers', index, 'introspection', 'token_prefix']
    if (prefix === undefined) {
      mistakes.push({ path, sentence: 'missing, expected a prefix, since more than one issuer introspects' })
    }
    const other = introspecting.find((entry) => entry.index < index && overlap(entry.prefix, prefix))
    if (other !== undefined) {
      mistakes.push({
        path,
        sentence: `expected a prefix that neither begins with the one of issuers[${other.index}] nor begins it`,
      })
    }
  }
}

function overlap(one: unknown, other: unknown): boolean {
  if (typeof one !== 'string' || typeof other !== 'string') return false
  return one.startsWith(other) || other.startsWith(one)
}

function checkBrand(brand: Entry, known: Set<unknown>, path: Path, mistakes: Mistake[]): void {
  checkMail(brand, path, mistakes)
  const issuers = Array.isArray(brand.issuers) ? brand.issuers : []
  for (const [index, issuer] of issuers.entries()) {
    if (typeof issuer !== 'string' || known.has(issuer)) continue
    mistakes.push({
      path: [...path, 'issuers', index],
      sentence: 'expected the issuer of an entry under issuers, written exactly as there',
    })
  }
  const desk = brand.desk
  if (!isMap(desk) || desk.connector !== 'smtp' || typeof desk.url !== 'string') return
  for (const sentence of smtpUrlFaults(desk.url)) mistakes.push({ path: [...path, 'desk', 'url'], sentence })
}
