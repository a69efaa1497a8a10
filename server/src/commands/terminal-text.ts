/**
 * What moves a terminal's cursor, changes its colours, or writes a line in another direction than it is read: control
 * characters and format characters but those that join and hyphenate letters, and the separators of lines.
 */
const UNSAFE = /(?![\u00ad\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

/** Text of one line that somebody else wrote, with what is unsafe on a terminal as `<U+202E>`. */
export function onOneLine(text: string): string {
  return text.replace(UNSAFE, written)
}

/** Text of many lines that somebody else wrote. */
export function forTerminal(text: string): string {
  return onLines(text, '').slice(0, -1)
}

/** Text that somebody else wrote, each of its lines behind `before`. */
export function onLines(text: string, before: string): string {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => `${before}${onOneLine(line.replaceAll('\t', '    '))}`.trimEnd())
    .map((line) => `${line}\n`)
    .join('')
}

/** JSON with every unsafe character escaped, which means the same. */
export function jsonOnTerminal(value: unknown): string {
  const escaped = JSON.stringify(value, null, 2).replace(UNSAFE, (character) =>
    character === '\n'
      ? character
      : [...Array(character.length).keys()]
          .map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`)
          .join(''),
  )
  return `${escaped}\n`
}

function written(character: string): string {
  return `<U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}>`
}
