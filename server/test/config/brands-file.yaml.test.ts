import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { readBrandsFile } from '../../src/config.ts'
import { brandsFolder, linesOf, variable, WRITTEN } from './brands-folder.ts'

describe('a file that is no brands file', () => {
  test.each([
    ['empty', '', 'brands.yaml: expected a map with issuers, brands; the file is empty'],
    ['only comments', '# soon\n', 'brands.yaml: expected a map with issuers, brands; the file is empty'],
    ['a list', '- acme\n', 'brands.yaml:1: expected a map with issuers, brands'],
    ['a text', 'acme\n', 'brands.yaml:1: expected a map with issuers, brands'],
    [
      'two documents',
      'a: 1\n---\nb: 2\n',
      'brands.yaml:2: expected one YAML document, without a second after ---',
    ],
    ['tabs', 'brands:\n\t- id: a\n', 'brands.yaml:2: expected spaces, not tabs, as indentation'],
    ['a tag', 'brands: !!js/function x\n', 'brands.yaml:1: expected no tag (!) of its own kind'],
    [
      'an alias of nothing',
      'a: 1\nbrands: *none\n',
      'brands.yaml:2: expected an alias (*) only after its anchor (&)',
    ],
    ['a map as key', '? {a: b}\n: c\n', 'brands.yaml:1: expected a text as key'],
    [
      'a bare variable in brackets',
      `brands: [${variable('NAME')}]\n`,
      `brands.yaml:1: expected valid YAML; inside [ ] and { }, ${variable('NAME')} needs quotes around it`,
    ],
  ])('%s', async (_, text, line) => {
    await using folder = await brandsFolder()
    expect(await folder.mistakes(text)).toContain(line)
  })

  test('no file, a folder, another encoding, a device without an end', async () => {
    await using folder = await brandsFolder()
    const missing = linesOf(readBrandsFile(`${folder.folder}/none.yaml`, {}), `${folder.folder}/`)
    expect(await missing).toEqual(['none.yaml: expected a file that can be read (ENOENT)'])
    expect(await linesOf(readBrandsFile(folder.folder, {}), folder.folder)).toEqual([
      ': expected a file that can be read (EISDIR)',
    ])
    expect(await folder.mistakes(Buffer.from('name: Caf\xe9', 'latin1'))).toEqual([
      'brands.yaml: expected UTF-8',
    ])
    expect(await linesOf(readBrandsFile('/dev/zero', {}))).toEqual([
      '/dev/zero: expected a file that can be read (larger than 1 MiB)',
    ])
  })

  test('a small file that would grow without bound is refused at once', async () => {
    await using folder = await brandsFolder()
    const levels = Array.from({ length: 20 }, (_, level) => {
      const below =
        level === 0
          ? 'lol'
          : Array(10)
              .fill(`*l${level - 1}`)
              .join(', ')
      return `l${level}: &l${level} [${below}]`
    })
    const before = performance.now()
    expect(await folder.mistakes(`${levels.join('\n')}\n${WRITTEN}`)).toEqual([
      'brands.yaml:1: expected at most 100 repetitions by aliases (*)',
    ])
    expect(await folder.mistakes(`loop: &loop [*loop, *loop]\n${WRITTEN}`)).toContain(
      'brands.yaml:1: loop[0]: expected no alias (*) inside the value that it repeats',
    )
    expect(await folder.mistakes(`brands: ${'['.repeat(100_000)}`)).toEqual([
      'brands.yaml:1: expected a map nested only a few levels deep',
    ])
    expect(performance.now() - before).toBeLessThan(30_000)
  })

  test('a file from an editor on Windows is read', async () => {
    await using folder = await brandsFolder()
    const text = `\uFEFF${WRITTEN.replaceAll('\n', '\r\n')}`
    expect(await folder.read(text)).toEqual(await folder.read(await readFile(folder.path, 'utf8')))
    expect((await folder.read(text)).brands[0]?.name).toBe('Acme')
  })
})
