import { domainToASCII } from 'node:url'
import { type Field, valuesOf } from './raw-head.ts'

/**
 * Who a mail says it is from, read strictly by RFC 5322, section 3.4: exactly one From field with exactly one
 * mailbox. Whatever two programs might read in two ways is a fault and not an address.
 */
export type FromFault = 'none' | 'many_fields' | 'many_mailboxes' | 'group' | 'unreadable'

export type FromRead =
  | { address: string; localPart: string; domain: string; fault: null }
  | { address: null; fault: FromFault }

type Token = { kind: 'atom' | 'quoted' | 'literal' | 'special' | 'comment'; text: string; spaced: boolean }

const ATOM = /[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\u0080-\u{10ffff}]+/uy
const DOMAIN = /^[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/
/** More is no display name and one address any more. */
const VALUE_LENGTH = 2000

export function readFrom(fields: readonly Field[]): FromRead {
  const [value, ...more] = valuesOf(fields, 'from')
  if (value === undefined || value === '') return fault('none')
  if (more.length > 0) return fault('many_fields')
  const tokens = value.length > VALUE_LENGTH ? null : tokenize(value)
  if (tokens === null) return fault('unreadable')
  const said = tokens.filter((token) => token.kind !== 'comment')
  if (said.some((token) => isSpecial(token, ':') || isSpecial(token, ';'))) return fault('group')
  if (said.some((token) => isSpecial(token, ','))) return fault('many_mailboxes')
  const spec = addressTokens(tokens, said)
  return spec === null ? fault('unreadable') : readAddressSpec(spec)
}

/** The tokens of the one addr-spec, comments among them; null where it does not stand where it must. */
function addressTokens(tokens: Token[], said: Token[]): Token[] | null {
  const opens = said.filter((token) => isSpecial(token, '<'))
  const [open] = opens
  if (open === undefined) return trimComments(tokens)
  const close = said.at(-1)
  if (opens.length > 1 || close === undefined || !isSpecial(close, '>')) return null
  if (said.filter((token) => isSpecial(token, '>')).length > 1) return null
  const phrase = said.slice(0, said.indexOf(open))
  const spec = tokens.slice(tokens.indexOf(open) + 1, tokens.indexOf(close))
  // `a@b.example <a@b.example>` is wrong and common; `a@b.example <c@d.example>` is a trick.
  const same =
    textOf(phrase)
      .replace(/^'(.*)'$/, '$1')
      .toLowerCase() === textOf(spec).toLowerCase()
  if (!same && phrase.some((token) => token.kind === 'literal' || isSpecial(token, '@'))) return null
  return spec
}

function trimComments(tokens: Token[]): Token[] {
  const first = tokens.findIndex((token) => token.kind !== 'comment')
  const last = tokens.findLastIndex((token) => token.kind !== 'comment')
  return first === -1 ? [] : tokens.slice(first, last + 1)
}

function readAddressSpec(spec: Token[]): FromRead {
  // A space or a comment inside an address is obsolete, and programs differ in what they make of it.
  if (spec.some((token, index) => token.kind === 'comment' || (index > 0 && token.spaced)))
    return fault('unreadable')
  const at = spec.findIndex((token) => isSpecial(token, '@'))
  const local = spec.slice(0, at)
  const host = spec.slice(at + 1)
  if (at < 1 || host.length === 0) return fault('unreadable')
  const [only] = local
  const quoted = only?.kind === 'quoted' && local.length === 1
  if (!quoted && !isDotAtom(local)) return fault('unreadable')
  const [literal] = host
  const isLiteral = literal?.kind === 'literal' && host.length === 1
  if (!isLiteral && !isDotAtom(host)) return fault('unreadable')
  const domain = isLiteral ? textOf(host).toLowerCase() : domainToASCII(textOf(host).toLowerCase())
  const localPart = textOf(local)
  if (!/^[\x20-\x7e]+$/.test(localPart) || localPart.length > 64) return fault('unreadable')
  if (domain === '' || domain.length > 253 || !(isLiteral || DOMAIN.test(domain))) return fault('unreadable')
  const address = `${localPart}@${domain}`
  return address.length > 254 ? fault('unreadable') : { address, localPart, domain, fault: null }
}

function isDotAtom(tokens: Token[]): boolean {
  if (tokens.length % 2 === 0) return false
  return tokens.every((token, index) => (index % 2 === 0 ? token.kind === 'atom' : isSpecial(token, '.')))
}

function isSpecial(token: Token, char: string): boolean {
  return token.kind === 'special' && token.text === char
}

function textOf(tokens: Token[]): string {
  return tokens.map((token) => token.text).join('')
}

function fault(code: FromFault): FromRead {
  return { address: null, fault: code }
}

/** RFC 5322, section 3.2; null where a quoted string, a comment or a literal does not end, or a character is none. */
function tokenize(value: string): Token[] | null {
  const tokens: Token[] = []
  let at = 0
  let spaced = false
  while (at < value.length) {
    const char = value.charAt(at)
    if (char === ' ' || char === '\t') {
      spaced = true
      at++
      continue
    }
    ATOM.lastIndex = at
    const atom = ATOM.exec(value)
    const token = atom ? atomToken(atom[0]) : specialToken(value, at)
    if (token === null) return null
    tokens.push({ ...token, spaced })
    at += token.text.length
    spaced = false
  }
  return tokens
}

function atomToken(text: string): Omit<Token, 'spaced'> {
  return { kind: 'atom', text }
}

function specialToken(value: string, at: number): Omit<Token, 'spaced'> | null {
  const char = value.charAt(at)
  if (char === '"') return untilClosed(value, at, 'quoted')
  if (char === '(') return untilClosed(value, at, 'comment')
  if (char === '[') return untilClosed(value, at, 'literal')
  return '<>@,;:.'.includes(char) ? { kind: 'special', text: char } : null
}

function untilClosed(
  value: string,
  from: number,
  kind: 'quoted' | 'comment' | 'literal',
): Omit<Token, 'spaced'> | null {
  let depth = 0
  for (let at = from; at < value.length; at++) {
    const char = value.charAt(at)
    if (char < ' ' && char !== '\t') return null
    if (char === '\\') at++
    else if (kind === 'comment' && char === '(') depth++
    else if (kind === 'comment' && char === ')') depth--
    else if (kind === 'quoted' && char === '"' && at > from) return { kind, text: value.slice(from, at + 1) }
    else if (kind === 'literal' && char === ']') return { kind, text: value.slice(from, at + 1) }
    if (kind === 'comment' && depth === 0) return { kind, text: value.slice(from, at + 1) }
  }
  return null
}
