/** PostgreSQL's COPY text format (manual, COPY, "Text Format"): a row is a line, a tab parts its columns. */

export const NEWLINE = 0x0a
const TAB = 0x09
/** A bytea of 32 bytes as `bytea_output = hex` gives it; a backslash is escaped by another one. */
const SHA256 = /^\\\\x([0-9a-f]{64})$/
const SHA256_BYTES = 67

/** A newline in a value is escaped, so each one ends a row. */
export function countRows(part: Buffer): number {
  let rows = 0
  for (let at = part.indexOf(NEWLINE); at >= 0; at = part.indexOf(NEWLINE, at + 1)) rows++
  return rows
}

/** The hashes in one column, in hexadecimal; null for what is none. NULL is left out. */
export function* hashesIn(part: Buffer, column: number): Generator<string | null> {
  for (const field of fieldsIn(part, column)) {
    // Whatever an archive claims to have there, no text is made of it.
    const text = field !== null && field.length <= SHA256_BYTES ? field.toString('latin1') : ''
    if (text !== '\\N') yield SHA256.exec(text)?.[1] ?? null
  }
}

/** One column of each row as it stands there; null where a row has none. */
export function* fieldsIn(part: Buffer, column: number): Generator<Buffer | null> {
  for (let start = 0; start < part.length; ) {
    const newline = part.indexOf(NEWLINE, start)
    const row = part.subarray(start, newline < 0 ? part.length : newline)
    yield fieldOf(row, column)
    start += row.length + 1
  }
}

function fieldOf(row: Buffer, column: number): Buffer | null {
  let start = 0
  for (let index = 0; index < column; index++) {
    start = row.indexOf(TAB, start) + 1
    if (start === 0) return null
  }
  const end = row.indexOf(TAB, start)
  return row.subarray(start, end < 0 ? row.length : end)
}

/** A name in a statement. Those of an archive are checked to be plain ones (archive.ts). */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

export function columnList(columns: string[]): string {
  return columns.map(quoted).join(', ')
}
