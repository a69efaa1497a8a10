import {
  type Document,
  type ErrorCode,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
  visit,
} from 'yaml'
import type { Mistake, Path } from './mistakes.ts'

/** How often aliases may repeat what stands at their anchors, so that a small file cannot make a huge value. */
const ALIAS_LIMIT = 100

const DUPLICATE = 'duplicate key, expected each key once in a map'

/** Our own sentences, because the parser's may quote the file, and the file may hold secrets. */
const SENTENCES: Partial<Record<ErrorCode, string>> = {
  BAD_ALIAS: 'expected an alias (*) only after its anchor (&)',
  BAD_DQ_ESCAPE: 'expected a known escape after \\ in double quotes; single quotes take \\ as it is',
  BAD_INDENT: 'expected other indentation',
  BAD_SCALAR_START: 'expected quotes around a text that starts with @ or `',
  BLOCK_AS_IMPLICIT_KEY: 'expected one "key: value" on a line, and quotes around a text that has ": " in it',
  DUPLICATE_KEY: DUPLICATE,
  MULTIPLE_DOCS: 'expected one YAML document, without a second after ---',
  NON_STRING_KEY: 'expected a text as key',
  RESOURCE_EXHAUSTION: 'expected a map nested only a few levels deep',
  TAB_AS_INDENT: 'expected spaces, not tabs, as indentation',
  TAG_RESOLVE_FAILED: 'expected no tag (!) of its own kind',
}
const OTHERWISE = `expected valid YAML; inside [ ] and { }, \${NAME} needs quotes around it`

export type YamlDocument = {
  value: unknown
  /** Keys that stand twice in a map: told with what the settings themselves get wrong. */
  mistakes: Mistake[]
  /** The line, from 1, where the file says this, or else where it says what is around it. */
  lineOf(path: Path): number
}

/**
 * Reads one YAML 1.2 document strictly: each key once, no tags of its own kind, no merge keys, aliases in
 * bounds.
 * @returns the document, or why it is none
 */
export function readYaml(text: string): YamlDocument | { faults: Mistake[] } {
  const lines = new LineCounter()
  try {
    const document = parseDocument(text, {
      version: '1.2',
      schema: 'core',
      merge: false,
      resolveKnownTags: false,
      stringKeys: true,
      prettyErrors: false,
      lineCounter: lines,
    })
    const errors = [...document.errors, ...document.warnings, ...strayAliases(document)]
    const duplicates = errors.filter((error) => error.code === 'DUPLICATE_KEY')
    if (errors.length > duplicates.length) return { faults: explain(errors, lines) }
    return {
      value: document.toJS({ maxAliasCount: ALIAS_LIMIT }) as unknown,
      mistakes: duplicates.map((error) => explainDuplicate(document, error.pos[0], lines)),
      lineOf: (path) => lineOf(document, path, lines),
    }
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error
    return {
      faults: [{ path: [], line: 1, sentence: `expected at most ${ALIAS_LIMIT} repetitions by aliases (*)` }],
    }
  }
}

type YamlError = { code: ErrorCode; pos: [number, number] }

/** The library tells of these by throwing, without a place; so they are looked for here. */
function strayAliases(document: Document.Parsed): YamlError[] {
  const anchors = new Set<string>()
  const errors: YamlError[] = []
  visit(document, {
    Node(_, node) {
      if (!isAlias(node) && node.anchor !== undefined) anchors.add(node.anchor)
      if (isAlias(node) && !anchors.has(node.source)) {
        errors.push({ code: 'BAD_ALIAS', pos: [node.range?.[0] ?? 0, node.range?.[1] ?? 0] })
      }
    },
  })
  return errors
}

/** One mistake for each line, since what follows the first on a line is mostly its echo. */
function explain(errors: YamlError[], lines: LineCounter): Mistake[] {
  const exhausted = errors.find((error) => error.code === 'RESOURCE_EXHAUSTION')
  const found = new Map<number, Mistake>()
  for (const error of exhausted === undefined ? errors : [exhausted]) {
    const { line } = lines.linePos(error.pos[0])
    if (!found.has(line)) found.set(line, { path: [], line, sentence: SENTENCES[error.code] ?? OTHERWISE })
  }
  return [...found.values()]
}

function explainDuplicate(document: Document.Parsed, offset: number, lines: LineCounter): Mistake {
  let path: Path = []
  visit(document, {
    Scalar(place, node, ancestors) {
      if (place === 'key' && node.range?.[0] === offset) path = pathTo(node, ancestors)
    },
  })
  return { path, line: lines.linePos(offset).line, sentence: DUPLICATE }
}

function pathTo(node: Scalar, ancestors: readonly unknown[]): Path {
  const below = [...ancestors.slice(1), node]
  return ancestors.flatMap((ancestor, depth): Path => {
    if (isSeq(ancestor)) return [ancestor.items.indexOf(below[depth])]
    return isPair(ancestor) && isScalar(ancestor.key) ? [String(ancestor.key.value)] : []
  })
}

function lineOf(document: Document.Parsed, path: Path, lines: LineCounter): number {
  let node: Node | null = document.contents
  let offset = node?.range?.[0] ?? 0
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document) ?? null
    const next = stepInto(node, step)
    if (next === null) break
    offset = next.offset
    node = next.node
  }
  return lines.linePos(offset).line
}

function stepInto(node: Node | null, step: string | number): { node: Node | null; offset: number } | null {
  if (isSeq<Node>(node) && typeof step === 'number') {
    const item = node.items[step]
    return item === undefined ? null : { node: item, offset: item.range?.[0] ?? 0 }
  }
  if (!isMap<Node, Node | null>(node)) return null
  const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === step)
  return pair === undefined ? null : { node: pair.value, offset: pair.key.range?.[0] ?? 0 }
}
