import { resolve } from 'node:path'
import type { BrandTemplates } from './brands.ts'
import { readDkimKey } from './dkim-key.ts'
import { isMap, type Mistake, type Path } from './mistakes.ts'
import { readBounded } from './read-bounded.ts'
import { TEMPLATE_KINDS, templateFaults } from './template-check.ts'

/** What was read from the files that a brand names. */
export type BrandFiles = { dkimKey: string | null; templates: BrandTemplates }

/**
 * Reads them while the rest of the file is still in doubt, so that their mistakes are told with the others.
 * @returns one entry for each brand, in its place
 */
export async function readBrandFiles(
  file: unknown,
  folder: string,
  mistakes: Mistake[],
): Promise<BrandFiles[]> {
  const brands: unknown[] = isMap(file) && Array.isArray(file.brands) ? file.brands : []
  const read: BrandFiles[] = []
  for (const [index, brand] of brands.entries()) {
    read.push(await readOne(isMap(brand) ? brand : {}, folder, ['brands', index], mistakes))
  }
  return read
}

async function readOne(
  brand: Record<string, unknown>,
  folder: string,
  path: Path,
  mistakes: Mistake[],
): Promise<BrandFiles> {
  const dkim = isMap(brand.mail) && isMap(brand.mail.dkim) ? brand.mail.dkim : {}
  const files: BrandFiles = { dkimKey: null, templates: {} }
  if (typeof dkim.key_file === 'string' && dkim.key_file !== '') {
    const result = await readDkimKey(resolve(folder, dkim.key_file))
    if ('key' in result) files.dkimKey = result.key
    else mistakes.push({ path: [...path, 'mail', 'dkim', 'key_file'], sentence: result.fault })
  }
  for (const kind of TEMPLATE_KINDS) {
    const written = isMap(brand.templates) ? brand.templates[kind] : undefined
    if (!isMap(written)) continue
    const template: NonNullable<BrandTemplates[typeof kind]> = {}
    if (typeof written.subject === 'string') template.subject = written.subject
    for (const form of ['text', 'html'] as const) {
      const name = written[form]
      if (typeof name !== 'string' || name === '') continue
      const result = await readTemplate(resolve(folder, name))
      if (typeof result === 'string') template[form] = result
      else
        for (const sentence of result) mistakes.push({ path: [...path, 'templates', kind, form], sentence })
    }
    files.templates[kind] = template
  }
  return files
}

async function readTemplate(path: string): Promise<string | string[]> {
  const bytes = await readBounded(path)
  if (typeof bytes === 'string') return [`expected a file that can be read (${bytes})`]
  let template: string
  try {
    template = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return ['expected UTF-8 in the file']
  }
  const faults = templateFaults(template)
  return faults.length === 0 ? template : faults.map((fault) => `${fault} in the file`)
}
