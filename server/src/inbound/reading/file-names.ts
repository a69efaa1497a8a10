import type { MailFile } from './mail-parts.ts'
import { clean } from './mail-text.ts'

export type NamedFile = MailFile & { filename: string }

const LONGEST = 200
/** For files that their mail does not name. */
const NAMES: Record<string, string> = {
  'message/rfc822': 'message.eml',
  'message/delivery-status': 'delivery-status.txt',
  'text/rfc822-headers': 'headers.txt',
  'text/calendar': 'calendar.ics',
  'text/plain': 'text.txt',
  'text/html': 'text.html',
  'application/ms-tnef': 'winmail.dat',
  'application/pdf': 'document.pdf',
  'application/pgp-signature': 'signature.asc',
  'application/pkcs7-signature': 'smime.p7s',
  'image/gif': 'image.gif',
  'image/jpeg': 'image.jpg',
  'image/png': 'image.png',
}

/** Every file with a name that is no path and has nothing in it that cannot be seen. */
export function nameFiles(files: readonly MailFile[]): NamedFile[] {
  return files.map(({ filename, declaredType, ...file }) => {
    const name = clean(filename ?? '')
      .replace(/[\n\t/\\]+/g, '_')
      // Marks that turn the direction of writing make `exe.txt` of `txt.exe`; the others are seen by nobody.
      .replace(
        /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]|[\u0080-\u009f\u200b\u2028\u2029\u2060\ufeff]/g,
        '',
      )
      .trim()
    const given =
      name === '' || name === '.' || name === '..' ? (NAMES[declaredType ?? ''] ?? 'attachment') : name
    return { filename: shorten(given), declaredType, ...file }
  })
}

/** Keeps the end, which says what kind of file it is, and splits no character. */
function shorten(name: string): string {
  const chars = [...name]
  if (chars.length <= LONGEST) return name
  const dot = chars.lastIndexOf('.')
  const end = chars.length - dot <= 12 ? chars.slice(dot) : []
  return [...chars.slice(0, LONGEST - end.length), ...end].join('')
}
