import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readFiles } from '../../src/commands/ticket-files.ts'

let folder: string
const at = (name: string) => join(folder, name)
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bellhop-test-'))
  await writeFile(at('a.txt'), 'a'.repeat(60))
  await writeFile(at('empty'), '')
  execFileSync('mkfifo', [at('pipe')])
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test('files have their own names, and the types that their bytes tell', async () => {
  await writeFile(at('image'), Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'))
  const files = await readFiles([at('a.txt'), at('empty'), at('image')], 100)
  expect(
    files.map(({ filename, bytes, declaredType, detectedType }) => [
      filename,
      bytes.length,
      declaredType,
      detectedType,
    ]),
  ).toEqual([
    ['a.txt', 60, null, null],
    ['empty', 0, null, null],
    ['image', 16, null, 'image/png'],
  ])
})

test.each([
  ['a pipe, which has no end', ['pipe'], /^--file: expected a file, and no folder/],
  ['a folder, the second of two', ['empty', '.'], /^--file 2: expected a file, and no folder/],
  ['what is no path', ['a\0b'], /expected a file that can be read \(ERR_INVALID_ARG_VALUE\)$/],
  ['what is not there', ['nothing'], /can be read \(ENOENT\)/],
  ['too much together', ['a.txt', 'a.txt'], /at most 100 bytes in all/],
  ['too many', Array.from({ length: 11 }, () => 'empty'), /at most 10 files/],
])('%s is refused by a sentence', async (_, names, sentence) => {
  await expect(readFiles(names.map(at), 100)).rejects.toThrow(sentence)
})
