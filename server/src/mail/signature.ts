import { isBlank } from './history.ts'

/**
 * What programs put below a text. Only what is surely no person's words is cut, and only at the very end: a line
 * that a phone adds, and what follows the delimiter `-- ` with its space (RFC 3676, section 4.3).
 */
const OF_PROGRAMS = [
  /^Sent from (?:my |Mail|Outlook|Yahoo|Proton|Samsung|iPhone|Windows).{0,80}$/i,
  /^Sent (?:via|with) .{1,80}$/i,
  /^Get Outlook for .{1,80}$/i,
  /^(?:Diese Nachricht wurde )?Von meine[mr](?:\/meiner)? .{1,60} gesendet\.?$/i,
  /^Gesendet (?:von|mit|über) .{1,80}$/i,
  /^(?:Holen Sie sich )?Outlook für (?:iOS|Android).{0,80}$/i,
  /^Envoyé (?:de|depuis|à partir de|avec) .{1,80}$/i,
  /^(?:Télécharger|Obtenez|Obtenir) Outlook pour .{1,80}$/i,
]
const DELIMITER = '-- '
const MOST_LINES = 10
const LONGEST = 1000

/** Lines without the signature below them; never without all that they say. */
export function withoutSignature(lines: readonly string[]): string[] {
  let kept = trimmed(lines)
  const delimiter = kept.lastIndexOf(DELIMITER)
  const below = kept.slice(delimiter + 1)
  const isShort = below.length <= MOST_LINES && below.join('\n').length <= LONGEST
  if (delimiter > 0 && isShort) kept = keepOne(kept, kept.slice(0, delimiter))
  const last = (kept.at(-1) ?? '').trim()
  if (last.length <= 150 && OF_PROGRAMS.some((line) => line.test(last)))
    kept = keepOne(kept, kept.slice(0, -1))
  return kept
}

/** Lines without the blank ones around them. */
export function trimmed(lines: readonly string[]): string[] {
  let first = 0
  let end = lines.length
  while (first < end && isBlank(lines[first] ?? '')) first++
  while (end > first && isBlank(lines[end - 1] ?? '')) end--
  return lines.slice(first, end)
}

function keepOne(all: string[], some: string[]): string[] {
  const rest = trimmed(some)
  return rest.length === 0 ? all : rest
}
