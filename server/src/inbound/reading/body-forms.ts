/** A part of a mail, as what is known of it before it is read. Types and dispositions are in lower case. */
type Part = {
  parentNode?: Part | false
  contentType?: string | false
  disposition?: string | false
  filename?: string | false
  multipart?: string | false
}

/** The types in which mail programs write what a mail says. */
const FORMS =
  /^(?:text\/(?:plain|html|xhtml|enriched|richtext|rtf|markdown|x-amp-html|(?:x-)?watch-html)|application\/(?:x-)?rtf|application\/xhtml\+xml)$/
const TEXTS = ['text/plain', 'text/html']
/** As Exchange names a text that has no name, for one after a picture. */
const NAMED_BY_EXCHANGE = /^att\d{5,}\.(?:html?|txt)$/i
const TNEF = ['application/ms-tnef', 'application/vnd.ms-tnef']
/** The first octets of TNEF (MS-OXTNEF, section 2.1.3.1). */
const TNEF_SIGNATURE = Buffer.from([0x78, 0x9f, 0x3e, 0x22])

/**
 * Whether a part is what the mail says in another form: it stands within alternatives, however deep, as where pictures
 * are related to it, and nobody attached it.
 */
export function isOtherForm(part: Part): boolean {
  if (isAttached(part) || !FORMS.test(part.contentType || '')) return false
  for (let above = part.parentNode; above; above = above.parentNode)
    if (above.multipart === 'alternative') return true
  return false
}

/** Whether a text is a file: it has a name that somebody gave it, also where it is to be shown with the mail. */
export function isNamedFile(part: Part): boolean {
  if (!part.filename) return false
  const isText = TEXTS.includes(part.contentType || 'text/plain')
  return !(isText && !isAttached(part) && NAMED_BY_EXCHANGE.test(part.filename))
}

/**
 * Whether a file may be what the mail says once more, with all that it quotes, or may as well be somebody's: Outlook's
 * winmail.dat holds both, and Exchange attaches the text after a picture.
 */
export function mayBeBody(file: { filename: string; declaredType: string | null; bytes: Buffer }): boolean {
  const { filename, declaredType, bytes } = file
  if (TNEF.includes(declaredType ?? '') || bytes.subarray(0, 4).equals(TNEF_SIGNATURE)) return true
  return NAMED_BY_EXCHANGE.test(filename)
}

function isAttached({ disposition }: Part): boolean {
  return disposition === 'attachment'
}
