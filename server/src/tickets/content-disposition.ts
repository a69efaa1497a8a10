/** Characters that a file's name has at most; more is cut before its ending. */
const LIMIT = 150
const ENDING = /\.[^.]{1,15}$/u
/** What is no attr-char (RFC 8187, section 3.2.1) and that encodeURIComponent leaves. */
const LEFT = /['()*]/g
/**
 * Controls, what turns the direction of writing, so that `exe.txt` could be read as another name, and whatever else
 * cannot be seen.
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu
/** What separates folders, on any system. */
const SEPARATOR = /[/\\:]/g

/**
 * `Content-Disposition` of a download (RFC 6266): the name for every reader, in ASCII, and the whole name (RFC 8187).
 * Whatever the name holds, it is one file's name and one header.
 */
export function attachmentDisposition(filename: string): string {
  const name = safeName(filename)
  const plain = name.replace(/[^\x20-\x7e]/g, '_').replace(/["%]/g, '_')
  const whole = encodeURIComponent(name).replace(
    LEFT,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `attachment; filename="${plain}"; filename*=UTF-8''${whole}`
}

function safeName(filename: string): string {
  const name = shorten(filename.replace(UNSEEN, '').replace(SEPARATOR, '_').trim()).toWellFormed()
  return /^\.*$/.test(name) ? 'attachment' : name
}

function shorten(name: string): string {
  if (name.length <= LIMIT) return name
  const ending = ENDING.exec(name.slice(-LIMIT))?.[0] ?? ''
  return name.slice(0, LIMIT - ending.length) + ending
}
