import { domainToASCII } from 'node:url'
import type { Field } from './raw-head.ts'

/**
 * What a mail server of ours found and wrote down (RFC 8601). Anybody can write such a field, so it counts only from
 * an authserv-id that the brand trusts, only the topmost of all, and only above every Received that this server did
 * not add: what stands lower may have come with the mail.
 */
export type TrustedResults = { methods: MethodResult[] }

export type MethodResult = { method: string; result: string; properties: Map<string, string> }

const LONGEST = 16 * 1024

export function trustedResults(
  fields: readonly Field[],
  trustedIds: readonly string[],
): TrustedResults | null {
  const trusted = new Set(trustedIds.map((id) => id.toLowerCase()))
  const addedBy: (string | null)[] = []
  for (const { name, value } of fields) {
    if (name === 'received') addedBy.push(receivedBy(value))
    if (name !== 'authentication-results') continue
    const read = value.length > LONGEST ? null : readResults(value)
    // Whoever wrote above it had the mail after it was written, or wrote both.
    if (read === null || !trusted.has(read.id)) return null
    return addedBy.every((by) => by === read.id) ? { methods: read.methods } : null
  }
  return null
}

/**
 * The host that added a Received (RFC 5321, section 4.4). What the sender called itself stands in it, too, and some
 * servers write that down with its spaces and parentheses, so one that could be read in two ways names nobody.
 */
function receivedBy(value: string): string | null {
  const text = withoutComments(value.slice(0, LONGEST))
  const [by, ...more] = text === null ? [] : text.matchAll(/(?:^|\s)by\s+([^\s;()]+)/gi)
  return more.length > 0 ? null : (by?.[1]?.toLowerCase() ?? null)
}

function readResults(value: string): { id: string; methods: MethodResult[] } | null {
  const text = withoutComments(value)
  if (text === null) return null
  const [head = '', ...parts] = splitOutsideQuotes(text, ';')
  const id = unquote(head.trim().split(/\s+/)[0] ?? '').toLowerCase()
  if (id === '') return null
  return { id, methods: parts.flatMap((part) => readMethod(part.trim())) }
}

/** `dkim=pass reason="…" header.d=acme.example`: the method, what it found, and about what. */
function readMethod(part: string): MethodResult[] {
  const words = splitOutsideQuotes(part.replace(/\s*=\s*/g, '='), ' ').filter((word) => word !== '')
  const [first = '', ...rest] = words
  const [method = '', result = ''] = first.toLowerCase().split('=')
  if (method === '' || result === '') return []
  const properties = new Map<string, string>()
  for (const word of rest) {
    const at = word.indexOf('=')
    if (at > 0 && !properties.has(word.slice(0, at).toLowerCase())) {
      properties.set(word.slice(0, at).toLowerCase(), unquote(word.slice(at + 1)))
    }
  }
  return [{ method: method.split('/')[0] ?? '', result, properties }]
}

/** The domain of a property's value, which may be an address, as an A-label; null where there is none. */
export function domainOf(value: string | undefined): string | null {
  const domain = (value ?? '').slice((value ?? '').lastIndexOf('@') + 1).replace(/\.$/, '')
  const ascii = domainToASCII(domain.toLowerCase())
  return ascii === '' ? null : ascii
}

/**
 * Comments may be nested and may stand between any two words (RFC 5322, section 3.2.2).
 * @returns null where one of them does not end
 */
function withoutComments(value: string): string | null {
  let text = ''
  let depth = 0
  let isQuoted = false
  for (let at = 0; at < value.length; at++) {
    const char = value.charAt(at)
    if (char === '\\') {
      if (depth === 0) text += value.slice(at, at + 2)
      at++
    } else if (depth === 0 && char === '"') {
      isQuoted = !isQuoted
      text += char
    } else if (!isQuoted && char === '(') depth++
    else if (!isQuoted && char === ')' && depth > 0) {
      depth--
      text += ' '
    } else if (depth === 0) text += char === '\t' ? ' ' : char
  }
  return depth > 0 ? null : text
}

function splitOutsideQuotes(text: string, separator: string): string[] {
  const parts: string[] = []
  let isQuoted = false
  let from = 0
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at)
    if (char === '\\') at++
    else if (char === '"') isQuoted = !isQuoted
    else if (char === separator && !isQuoted) {
      parts.push(text.slice(from, at))
      from = at + 1
    }
  }
  return [...parts, text.slice(from)]
}

function unquote(text: string): string {
  return /^".*"$/s.test(text) ? text.slice(1, -1).replace(/\\(.)/gs, '$1') : text
}
