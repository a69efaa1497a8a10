import { dirname, resolve } from 'node:path'
import { Check } from 'typebox/schema'
import { OperatorError } from '../errors.ts'
import { readBrandFiles } from './brand-files.ts'
import { type BrandsFile, type KeySet, SIGNING_ALGORITHMS, type SigningAlgorithm } from './brands.ts'
import { DEFAULT_ALGORITHMS, withDefaults } from './brands-defaults.ts'
import { checkRules } from './brands-rules.ts'
import { BrandsFileSchema } from './brands-schema.ts'
import { readKeySet } from './jwks-file.ts'
import { isMap, type Mistake, type Path, pathText } from './mistakes.ts'
import { readBounded } from './read-bounded.ts'
import { checkSchema } from './schema-check.ts'
import { substitute } from './substitution.ts'
import { readYaml } from './yaml-document.ts'

/**
 * Reads the brands file and the files that it names.
 * @param path as the operator gave it; the files named inside are looked for from its folder
 * @throws OperatorError with one line for each mistake, `brands.yaml:12: brands[0].desk.url: expected …`,
 *   none of which repeats a value
 */
export async function readBrandsFile(path: string, env: NodeJS.ProcessEnv): Promise<BrandsFile> {
  const document = readYaml(await readText(path))
  if ('faults' in document) throw new OperatorError(tell(path, document.faults, () => 1))
  if (document.value === null) {
    throw new OperatorError(`${path}: expected a map with issuers, brands; the file is empty`)
  }
  const { mistakes } = document
  const file = substitute(document.value, env, mistakes)
  checkSchema(BrandsFileSchema, file, [], mistakes)
  checkRules(file, mistakes)
  const keySets = await readKeySets(file, dirname(path), mistakes)
  const brandFiles = await readBrandFiles(file, dirname(path), mistakes)
  if (mistakes.length > 0 || !Check(BrandsFileSchema, file)) {
    throw new OperatorError(tell(path, mistakes, document.lineOf))
  }
  return withDefaults(file, keySets, brandFiles)
}

async function readText(path: string): Promise<string> {
  const bytes = await readBounded(path)
  if (typeof bytes === 'string')
    throw new OperatorError(`${path}: expected a file that can be read (${bytes})`)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new OperatorError(`${path}: expected UTF-8`)
  }
}

/** Reads them while the rest of the file is still in doubt, so that their mistakes are told with the others. */
async function readKeySets(file: unknown, folder: string, mistakes: Mistake[]): Promise<Map<number, KeySet>> {
  const keySets = new Map<number, KeySet>()
  const issuers: unknown[] = isMap(file) && Array.isArray(file.issuers) ? file.issuers : []
  for (const [index, issuer] of issuers.entries()) {
    const path = isMap(issuer) ? issuer.jwks_file : undefined
    if (!isMap(issuer) || typeof path !== 'string' || path === '') continue
    const result = await readKeySet(resolve(folder, path), algorithmsOf(issuer.algorithms))
    if (!Array.isArray(result)) keySets.set(index, result)
    else for (const sentence of result) mistakes.push({ path: ['issuers', index, 'jwks_file'], sentence })
  }
  return keySets
}

function algorithmsOf(written: unknown): SigningAlgorithm[] {
  if (!Array.isArray(written)) return DEFAULT_ALGORITHMS
  return SIGNING_ALGORITHMS.filter((algorithm) => written.includes(algorithm))
}

/** The mistakes in the order of the file. */
function tell(file: string, mistakes: Mistake[], lineOf: (path: Path) => number): string {
  const lines = mistakes.map(({ path, sentence, line }) => ({
    line: line ?? lineOf(path),
    text: [pathText(path), sentence].filter((part) => part !== '').join(': '),
  }))
  lines.sort((one, other) => one.line - other.line)
  return lines.map(({ line, text }) => `${file}:${line}: ${text}`).join('\n')
}
