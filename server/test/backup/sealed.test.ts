import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AnArchive, type Entry, makeAnArchive, recounted, verify } from './an-archive.ts'

const MIB = 1024 * 1024

let made: AnArchive
beforeAll(async () => {
  made = await makeAnArchive()
})
afterAll(() => made.stop())

describe('what is sealed and still wrong', () => {
  test.each<[string, () => Entry[], string]>([
    ['no manifest', () => made.without(/^manifest/), 'it has no manifest'],
    ['no head', () => made.without(/^archive/), 'it does not begin with its head'],
    ['a part less', () => made.without(/^tables\/messages/), 'does not have the rows'],
    [
      'an attachment less',
      () => made.without(new RegExp(`^${firstBlob()}`)),
      'an attachment that a row names is not in it',
    ],
    [
      'the blobs’ rows less',
      () => made.without(/^tables\/blobs/),
      'a row names an attachment that is not in it',
    ],
    [
      'an entry twice',
      () => made.entries.flatMap((entry) => (entry.name === firstBlob() ? [entry, entry] : entry)),
      'order',
    ],
    [
      'a row more',
      () => made.change(/^tables\/installation/, (b) => Buffer.concat([b, b])),
      'does not have the rows',
    ],
    [
      'another text',
      () => made.change(/^tables\/tickets/, (b) => replaced(b, 'quoted', 'cited!')),
      'does not have the rows',
    ],
    ['half a row', () => made.change(/^tables\/tickets/, (b) => b.subarray(0, -1)), 'in the middle of a row'],
    ['other bytes', () => made.change(/^blobs/, () => Buffer.from('x')), 'other bytes than its name says'],
    [
      'another manifest',
      () => made.change(/^manifest/, (b) => replaced(b, '"rows": 11', '"rows": 12')),
      'the rows',
    ],
    [
      'another time',
      () => made.change(/^manifest/, (b) => replaced(b, '"taken_at": "2', '"taken_at": "3')),
      'another archive',
    ],
    [
      'a manifest that is none',
      () => made.change(/^manifest/, () => Buffer.from('{}')),
      'does not say what it should',
    ],
    ['a manifest without JSON', () => made.change(/^manifest/, () => Buffer.from('{')), 'is not JSON'],
    [
      'a newer form',
      () => made.change(/^archive/, () => Buffer.from('{"format_version": 2}')),
      'use a newer Bellhop',
    ],
    [
      'a table of somebody’s',
      () => made.change(/^archive/, (b) => replaced(b, '"tickets"', '"tick;ts"')),
      'should',
    ],
    [
      'more behind its manifest',
      () => [...made.entries, ...made.entries.slice(-1)],
      'something follows its manifest',
    ],
    [
      'a path out of it',
      () => [...made.entries.slice(0, 1), { name: '../x', body: Buffer.from('x') }],
      'no archive',
    ],
    [
      'an absolute path',
      () => [...made.entries.slice(0, 1), { name: '/etc/passwd', body: Buffer.from('x') }],
      'no archive',
    ],
    [
      'a name of its own',
      () => [...made.entries.slice(0, 1), { name: 'readme', body: Buffer.from('x') }],
      'order',
    ],
    [
      'a part of nothing but rows',
      () => made.change(/^tables\/blobs/, () => Buffer.alloc(8 * MIB, '\n')),
      'larger',
    ],
    ['rows of nothing', () => made.change(/^tables\/blobs/, () => Buffer.alloc(MIB, '\n')), 'a row names'],
    [
      'a head without an end',
      () => made.change(/^archive/, (b) => Buffer.concat([b, Buffer.alloc(MIB)])),
      'larger',
    ],
    ['a time that clears the screen', () => takenAt('\\u001b[2J2026-03-01T12:00:00.000Z'), 'should'],
    ['a day that is none', () => takenAt('2026-02-30T12:00:00.000Z'), 'should'],
    ['no installation', () => recounted(made.without(/^tables\/installation/)), 'the one installation'],
    [
      'another installation',
      () => recounted(made.change(/^tables\/installation/, otherInstallation)),
      'the one installation',
    ],
    [
      'two installations',
      () => recounted(made.change(/^tables\/installation/, (b) => Buffer.concat([b, otherInstallation(b)]))),
      'the one installation',
    ],
  ])('%s', async (_, changed, sentence) => {
    expect(await verify(await made.sealed(changed()))).toMatch(sentence)
  })

  test('but one row that is longer than a part is none of that', async () => {
    const long = (body: Buffer) => {
      const [row = ''] = body.toString().split('\n')
      const subject = row.split('\t').with(-1, 'long '.repeat(MIB))
      return Buffer.concat([body, Buffer.from(`${subject.join('\t')}\n`)])
    }
    expect(await verify(await made.sealed(recounted(made.change(/^tables\/tickets/, long))))).toBe('whole')
  })

  function takenAt(time: string): Entry[] {
    return made.change(/^(?:archive|manifest)\.json/, (body) =>
      Buffer.from(body.toString().replace(/(?<="taken_at": ")[^"]*/, time)),
    )
  }

  function otherInstallation(body: Buffer): Buffer {
    return Buffer.from(body.toString().replace(/[0-9a-f]{8}(?=-)/, '01234567'))
  }

  function firstBlob(): string {
    return made.entries.find(({ name }) => name.startsWith('blobs/'))?.name ?? 'none'
  }

  function replaced(body: Buffer, text: string, by: string): Buffer {
    expect(body.toString('latin1')).toContain(text)
    return Buffer.from(body.toString('latin1').replace(text, by), 'latin1')
  }
})
