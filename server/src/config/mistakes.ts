/** Where in the file: keys of maps and indexes of lists, from the top. */
export type Path = readonly (string | number)[]

/**
 * One thing to mend: where it is, and a sentence that says what is expected there and repeats no value. The
 * line is the path's own where none is given.
 */
export type Mistake = { path: Path; sentence: string; line?: number }

/**
 * `brands[0].desk.url`, as an operator would point at it. A key that does not look like a setting's name is
 * left out, since a slip of indentation can turn a secret into one.
 */
export function pathText(path: Path): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else if (/^(?:[A-Za-z_][\w-]{0,39}|<<)$/.test(step)) text += text === '' ? step : `.${step}`
    else return text
  }
  return text
}

/** Is this a map as YAML or JSON writes it, and not a list? */
export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
