import EmailReplyParser from 'email-reply-parser'
import {
  attributionAbove,
  endsLikeAnnouncement,
  headerBlock,
  isBlank,
  isQuoted,
  originalMessage,
  unquoted,
  withoutAnnouncement,
} from './history.ts'
import { MARKER } from './marker.ts'
import { trimmed, withoutSignature } from './signature.ts'

/**
 * What a person wrote in answer to a mail, without the mail that their program quotes.
 *
 * In doubt it keeps: a reader would rather see a line too many than miss one. `uncertain` says that it may hold
 * history, or miss words; the whole text is kept beside it anyway.
 */
export type NewestText = { text: string; uncertain: boolean }

/** Of text without our marker, in UTF-16 units: what the reply parser is fed at most, being quadratic. */
const FED_LENGTH = 64 * 1024
/** Its patterns are quadratic in a line, too, and in a run of blank lines. */
const FED_LINE = 200
const FED_BLANK_RUN = 2
/** Where a marker is looked for. */
const SEARCHED_LENGTH = 512 * 1024

const MARKER_WORDS = bare(MARKER)
const replyParser = new EmailReplyParser()

/** @param whole with `\n` for every line's end */
export function newestText(whole: string): NewestText {
  const isLong = whole.length > SEARCHED_LENGTH
  const lines = (isLong ? whole.slice(0, SEARCHED_LENGTH) : whole).split('\n')
  const marker = lines.findIndex(isMarker)
  if (marker === -1 && whole.length > FED_LENGTH) return { text: whole.trim(), uncertain: true }
  const cut = marker === -1 ? withoutMarker(lines) : atMarker(lines, marker)
  const text = withoutSignature(cut.lines).join('\n')
  return { text, uncertain: isLong || cut.uncertain || text.trim() === '' }
}

type Cut = { lines: readonly string[]; uncertain: boolean }

function isMarker(line: string): boolean {
  return line.length < 200 && bare(line) === MARKER_WORDS
}

/** The line's words: without quotes, stars and dashes, which programs change. */
function bare(line: string): string {
  return unquoted(line)
    .replace(/[\s*_\u00a0\u200b\ufeff\u2010-\u2015-]+/gu, ' ')
    .trim()
    .toLowerCase()
}

function atMarker(lines: string[], marker: number): Cut {
  const written = withoutAnnouncement(lines.slice(0, marker), true)
  const depth = depthOf(lines[marker] ?? '')
  const older = historyIn(written)
  // Somebody answered or sent on what somebody else had written above our mail: what is theirs is not to be carried
  // on as this one's, nor to be lost where it was meant.
  const above = older ?? written
  const isUnclear =
    older !== null ||
    endsLikeAnnouncement(above) ||
    above.some((line) => isQuoted(line) && depthOf(line) < depth)
  // Where nothing sets the history apart, all below the marker is history.
  if (!isQuoted(lines[marker] ?? '')) return { lines: above, uncertain: isUnclear }
  const cut = joined(above, lines.slice(marker + 1))
  return { ...cut, uncertain: cut.uncertain || isUnclear }
}

/** What stands above a quoted mail, and what stands between and below its lines. */
function joined(above: readonly string[], quoted: readonly string[]): Cut {
  const answers = withoutSignature(quoted)
  const isAnswer = (line: string) => !isQuoted(line) && !isBlank(line)
  const first = answers.findIndex(isAnswer)
  // A signature alone, under what was quoted, is no answer.
  if (first === -1 || isSignatureOnly(answers.slice(first))) return { lines: above, uncertain: false }
  const last = answers.findLastIndex(isAnswer)
  // Below an answer under the whole quote nothing is quoted any more.
  const isInline = answers.slice(first).some((line) => isQuoted(line) && unquoted(line) !== '')
  const below = answers.slice(isInline ? answers.findIndex((line) => unquoted(line) !== '') : first, last + 1)
  const isAbove = trimmed(above).length > 0
  return { lines: isAbove ? [...above, '', ...trimmed(below)] : trimmed(below), uncertain: isAbove }
}

function isSignatureOnly(lines: readonly string[]): boolean {
  return lines[0] === '-- ' && lines.length <= 12
}

function withoutMarker(lines: string[]): Cut {
  const quote = announcedQuote(lines)
  if (quote !== null)
    return joined(withoutAnnouncement(lines.slice(0, quote.announced), false), lines.slice(quote.from))
  // Without our marker nobody knows whether it is history: people write such lines, and send on what matters.
  const start = sentOn(lines)
  if (start !== null) return { lines: withoutAnnouncement(lines.slice(0, start), false), uncertain: true }
  return asReplyParserSays(lines)
}

/** What stands above history of others; null: there is none in these lines. */
function historyIn(lines: readonly string[]): string[] | null {
  const start = firstOf(announcedQuote(lines)?.announced ?? null, sentOn(lines))
  return start === null ? null : withoutAnnouncement(lines.slice(0, start), false)
}

/** The first quoted line with an announcement above it. */
function announcedQuote(lines: readonly string[]): { announced: number; from: number } | null {
  for (let at = 0; at < lines.length; at++) {
    if (!isQuoted(lines[at] ?? '')) continue
    const announced = attributionAbove(lines, at, false)
    if (announced !== null) return { announced, from: at }
    // The next lines of the same quote have no announcement of their own above them.
    while (at + 1 < lines.length && isQuoted(lines[at + 1] ?? '')) at++
  }
  return null
}

/** Where a mail begins that was sent on, or answered without quotes. */
function sentOn(lines: readonly string[]): number | null {
  return firstOf(headerBlock(lines, 0, null), originalMessage(lines))
}

/** How often a line is quoted: `>> ` and `> > ` are twice. */
function depthOf(line: string): number {
  return (/^[\s>|\u200b\ufeff]*/u.exec(line)?.[0].match(/[>|]/g) ?? []).length
}

function firstOf(...found: (number | null)[]): number | null {
  const indexes = found.filter((at) => at !== null)
  return indexes.length === 0 ? null : Math.min(...indexes)
}

/**
 * The last resort, for the many announcements that are not known here. Of what the reply parser hides, only history
 * at the end is taken from it: it loses text after `--`, and lines that a person began with `>`.
 */
function asReplyParserSays(lines: string[]): Cut {
  const short = lines.map((line) => line.slice(0, FED_LINE).trimEnd())
  const fragments = replyParser.read(withoutBlankRuns(short).join('\n')).getFragments()
  const visible = fragments.findLastIndex((fragment) => !fragment.isQuoted() && !fragment.isEmpty())
  const history = fragments.slice(visible + 1).find((fragment) => fragment.isQuoted())
  const first = history?.getContent().trim().split('\n')[0] ?? ''
  // Quoted lines without an announcement may be a person's own.
  if (first === '' || isQuoted(first)) return { lines, uncertain: lines.some(isQuoted) }
  // The parser may have joined the lines of an announcement, so the first one is looked for.
  const start = short.findLastIndex((line) => line.trim() !== '' && first.startsWith(line.trim()))
  return { lines: start === -1 ? lines : lines.slice(0, start), uncertain: true }
}

function withoutBlankRuns(lines: string[]): string[] {
  let run = 0
  return lines.filter((line) => {
    run = isBlank(line) ? run + 1 : 0
    return run <= FED_BLANK_RUN
  })
}
