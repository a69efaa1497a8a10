/**
 * How mail programs announce the mail that an answer quotes, line by line. Every pattern sees short text only, so
 * that none can be made slow.
 */

/** Lines that one announcement is wrapped into, and their characters together. */
const MOST_LINES = 5
const LONGEST = 600

const OPENINGS = 'On|Am|Le|El|Il|Em|Op|Den|Dnia|W dniu|pe|ср|пн|вт|чт|пт|сб|вс|Von|From'
const VERBS =
  'wrote|schrieb|geschrieben|a écrit|écrit|escribió|ha scritto|scritto|escreveu|schreef|skrev|pisze|napisał|kirjoitti|пишет|написал'
/** `On 5 Jan 2026, at 10:00, Name <address> wrote:`, and the same in other languages. */
const ATTRIBUTION = new RegExp(`^(?:${OPENINGS})[\\s,].*(?:${VERBS})(?![a-z]).*[:：]$`, 'iu')
/** `2026-01-05 10:00 GMT+01:00 Name <address>:`, `Name <address> schrieb am …:` */
const NAMED = /^.*<[^<>\s@]+@[^<>\s]+>.*[:：]$/u
const EASTERN = /(?:写道|のメッセージ|작성)[:：]$/u
const VERB = new RegExp(`(?:${VERBS})(?![a-z])`, 'iu')
/** A date or an address: without one, a sentence that ends in `wrote:` is a person's. */
const EVIDENCE = /\d{1,4}[./:-]\d{1,2}|\d{4}|@/

const SEPARATOR = /^(?:[-_*=]{5,}|-{2,12} ?[^-\s].{2,60}[^-\s] ?-{2,12})$/u
const ORIGINAL =
  /^-{2,12} ?(?:original (?:message|appointment)|forwarded message|ursprüngliche nachricht|originalnachricht|message d['’]origine|message original|mensaje original|messaggio originale|oorspronkelijk bericht|oprindelig besked) ?-{2,12}$/iu

const FROM_KEY = 'from|von|de|da|van|expéditeur|absender'
const OTHER_KEYS = [
  'sent|gesendet|envoyé|enviado|inviato|verzonden|date|datum|fecha|data|sent on',
  'to|an|à|a|para|aan|cc|kopie|subject|betreff|objet|asunto|oggetto|onderwerp|reply-to|antwort an|répondre à',
].join('|')
const KEY = new RegExp(`^\\*?(?:${FROM_KEY}|${OTHER_KEYS})\\*?[ \\u00a0\\u202f]?:`, 'iu')
const FROM = new RegExp(`^\\*?(?:${FROM_KEY})\\*?[ \\u00a0\\u202f]?:`, 'iu')

const QUOTED = /^[\s\u200b\ufeff]*>/u

export function isQuoted(line: string): boolean {
  return QUOTED.test(line)
}

export function isBlank(line: string): boolean {
  return /^[\s\u200b\ufeff]*$/u.test(line)
}

/** The line without what quotes it and without characters that cannot be seen. */
export function unquoted(line: string): string {
  return line.replace(/^[\s>|\u200b\ufeff]+/u, '').trimEnd()
}

/**
 * Where the announcement begins that ends right above `end`, blank lines between them left out.
 * @param certain what follows is known to be history, so that an announcement in any language is one
 * @returns an index, or null where there is none
 */
export function attributionAbove(lines: readonly string[], end: number, certain: boolean): number | null {
  const last = lastText(lines, end)
  let joined = ''
  for (let at = last; at >= 0 && at > last - MOST_LINES; at--) {
    const line = unquoted(lines[at] ?? '')
    if (line === '' || joined.length + line.length > LONGEST) return null
    joined = joined === '' ? line : `${line} ${joined}`
    if (isAttribution(joined)) return at
    if (certain && EVIDENCE.test(joined) && NAMED.test(joined)) return at
  }
  return null
}

function isAttribution(text: string): boolean {
  if (!EVIDENCE.test(text)) return false
  return ATTRIBUTION.test(text) || EASTERN.test(text) || (NAMED.test(text) && VERB.test(text))
}

/**
 * Where a block of `From: … Sent: … To: … Subject: …` begins, with the line that sets it apart.
 * @param from the first line to look at
 * @param end it must reach up to this line; null: it may stand anywhere
 */
export function headerBlock(lines: readonly string[], from: number, end: number | null): number | null {
  const last = end === null ? lines.length : lastText(lines, end) + 1
  for (let at = Math.max(0, from); at < last; at++) {
    if (!isKey(lines, at)) continue
    let keys = 0
    let hasFrom = false
    let stop = at
    // Between two keys stand at most two lines of the first one's value.
    for (let gap = 0; stop < last && gap <= 2 && !isBlank(lines[stop] ?? ''); stop++) {
      if (isKey(lines, stop)) {
        keys++
        gap = 0
        hasFrom ||= FROM.test(unquoted(lines[stop] ?? ''))
      } else gap++
    }
    if (keys >= 3 && hasFrom && (end === null || stop === last)) return at
  }
  return null
}

function isKey(lines: readonly string[], at: number): boolean {
  const line = unquoted((lines[at] ?? '').slice(0, LONGEST))
  return KEY.test(line)
}

/** Where `-----Original Message-----` stands. */
export function originalMessage(lines: readonly string[]): number | null {
  const at = lines.findIndex((line) => line.length < 100 && ORIGINAL.test(unquoted(line)))
  return at === -1 ? null : at
}

const ANY_KEY = /^\*?\p{L}[\p{L}\p{M} .-]{0,24}\*?[ \u00a0\u202f]?[:：]\*?\s?\S/u

/** A block of at least three `Word: value` with a date or an address among them, in whatever language. */
function foreignBlock(lines: readonly string[], end: number): number | null {
  let at = lastText(lines, end)
  let keys = 0
  let first: number | null = null
  let hasEvidence = false
  for (; at >= 0 && at > end - 15 && !isBlank(lines[at] ?? ''); at--) {
    const line = unquoted((lines[at] ?? '').slice(0, LONGEST))
    hasEvidence ||= line.includes('@')
    if (!ANY_KEY.test(line)) continue
    keys++
    first = at
  }
  return keys >= 3 && hasEvidence ? first : null
}

/** Whether the last line still looks like an announcement, or like a piece of one. */
export function endsLikeAnnouncement(lines: readonly string[]): boolean {
  const line = unquoted(lines[lastText(lines, lines.length)] ?? '')
  return line.length <= LONGEST && /[:：]$|<[^<>\s]+@[^<>\s]+>/u.test(line)
}

/** The lines without the announcement of the history that follows them. */
export function withoutAnnouncement(lines: readonly string[], certain: boolean): string[] {
  let end = lines.length
  for (let round = 0; round < 4; round++) {
    const before = end
    end = lastText(lines, end) + 1
    const line = unquoted(lines[end - 1] ?? '')
    if (end > 0 && line.length < 100 && SEPARATOR.test(line)) end--
    const known = headerBlock(lines, end - 15, end) ?? attributionAbove(lines, end, certain)
    // Once an announcement is cut, what looks like another in no known language is a person's own list.
    end = known ?? (certain && round === 0 ? foreignBlock(lines, end) : null) ?? end
    if (end === before) break
  }
  return lines.slice(0, end)
}

/** Index of the last line above `end` that says something; -1 where none does. */
function lastText(lines: readonly string[], end: number): number {
  let at = end - 1
  while (at >= 0 && unquoted(lines[at] ?? '') === '') at--
  return at
}
