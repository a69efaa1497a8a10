import { isMap, type Mistake, type Path } from './mistakes.ts'

/** Stands where a variable is not set: its mistake is told, and nothing more is said of that place. */
export const UNSET = Symbol('unset')

/**
 * Puts environment variables where the file says `${NAME}`. It works on values that YAML has parsed already,
 * so whatever a variable holds stays one text, and is not looked at for `${` again.
 * @returns a copy of the value, with {@link UNSET} in place of each text that could not be made
 */
export function substitute(value: unknown, env: NodeJS.ProcessEnv, mistakes: Mistake[]): unknown {
  const above = new Set<unknown>()

  function visit(value: unknown, path: Path): unknown {
    if (typeof value === 'string') return substituteText(value, path)
    if (typeof value !== 'object' || value === null) return value
    // An alias inside its own anchor makes a loop, which has no end to copy.
    if (above.has(value)) return fail(path, 'expected no alias (*) inside the value that it repeats')
    above.add(value)
    const copy = Array.isArray(value)
      ? value.map((item, index) => visit(item, [...path, index]))
      : visitMap(value, path)
    above.delete(value)
    return copy
  }

  function visitMap(map: object, path: Path): unknown {
    const copy = Object.create(null) as Record<string, unknown>
    for (const [key, value] of Object.entries(map)) copy[key] = visit(value, [...path, key])
    return copy
  }

  function substituteText(text: string, path: Path): string | typeof UNSET {
    const before = mistakes.length
    const result = text.replaceAll(/\$\{([^}]*)(\}?)/g, (_, name: string, end: string) => {
      if (end === '' || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
        fail(path, `expected \${NAME} with the name of an environment variable after each \${`)
        return ''
      }
      if (!env[name]) fail(path, `expected the environment variable ${name} to be set and not empty`)
      return env[name] ?? ''
    })
    return mistakes.length === before ? result : UNSET
  }

  function fail(path: Path, sentence: string): typeof UNSET {
    mistakes.push({ path, sentence })
    return UNSET
  }

  return isMap(value) || Array.isArray(value) ? visit(value, []) : value
}
