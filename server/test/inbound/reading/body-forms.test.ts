import { describe, expect, test } from 'vitest'
import { mailOf } from '../signed-mail.ts'
import { read } from './a-reading.ts'

/** A part, or parts of parts. */
type Part = string | { subtype: string; parts: Part[] }

const within = (subtype: string, ...parts: Part[]): Part => ({ subtype, parts })
const part = (type: string, text = 'canary', disposition?: string) =>
  `Content-Type: ${type}\r\n${disposition ? `Content-Disposition: ${disposition}\r\n` : ''}\r\n${text}`

function written(part: Part, edge = 'b'): string {
  if (typeof part === 'string') return part
  const parts = part.parts.map((one, at) => `--${edge}\r\n${written(one, `${edge}${at}`)}\r\n`)
  return `Content-Type: multipart/${part.subtype}; boundary=${edge}\r\n\r\n${parts.join('')}--${edge}--\r\n`
}

async function readOf(whole: Part) {
  const [fields, ...body] = written(whole).split('\r\n\r\n')
  return await read(
    mailOf({ 'Content-Type': (fields ?? '').replace('Content-Type: ', '') }, body.join('\r\n\r\n')),
  )
}

async function bodiesOf(whole: Part) {
  const { attachments } = await readOf(whole)
  return attachments.map(({ filename, isBody }) => `${filename}${isBody ? ': body' : ''}`)
}

const TEXT = part('text/plain', 'Hello.')
const PICTURE = part('image/png; name=a.png')
const NAMED = part('text/html; name=message.html', 'canary', 'inline; filename=message.html')

describe('what a mail says in another form is its body', () => {
  test('also where a picture or a file stands beside it', async () => {
    const rich = within('related', NAMED, PICTURE)
    const files = ['message.html: body', 'a.png']
    expect(await bodiesOf(within('alternative', TEXT, NAMED))).toEqual(['message.html: body'])
    expect(await bodiesOf(within('alternative', TEXT, rich))).toEqual(files)
    expect(await bodiesOf(within('alternative', TEXT, within('mixed', NAMED, PICTURE)))).toEqual(files)
    expect(await bodiesOf(within('mixed', within('alternative', TEXT, rich), TEXT))).toEqual(files)
  })

  test.each([
    'text/enriched',
    'text/richtext',
    'text/rtf',
    'text/markdown',
    'text/xhtml',
    'text/x-amp-html',
    'text/watch-html',
    'text/x-watch-html',
    'application/rtf',
    'application/x-rtf',
    'application/xhtml+xml',
    'Text/Enriched; charset=utf-8',
  ])('%s', async (type) => {
    for (const form of [
      part(type),
      within('related', part(type), PICTURE),
      within('mixed', part(type), PICTURE),
    ])
      expect((await bodiesOf(within('alternative', TEXT, form)))[0]).toBe('attachment: body')
    expect(await bodiesOf(within('mixed', TEXT, part(type)))).toEqual(['attachment'])
  })

  test.each([
    ['prices.csv', 'text/csv'],
    ['me.vcf', 'text/vcard'],
    ['plan.ics', 'text/calendar'],
    ['plan.pdf', 'application/pdf'],
  ])('%s is not', async (name, type) => {
    expect(await bodiesOf(within('alternative', TEXT, part(`${type}; name=${name}`)))).toEqual([name])
  })

  test.each(['text/html', 'text/plain', 'text/rtf', 'application/rtf'])(
    'nor is %s that somebody attached',
    async (type) => {
      const file = part(type, 'bytes', 'Attachment; filename=offer')
      expect(await bodiesOf(within('alternative', TEXT, file))).toEqual(['offer'])
      expect(await bodiesOf(within('alternative', TEXT, within('mixed', file, PICTURE)))).toEqual([
        'offer',
        'a.png',
      ])
    },
  )
})

describe('a text that Exchange named', () => {
  const rest = (type: string, name: string) => part(`text/${type}; name=${name}`, 'Bye.', 'inline')

  test('is the rest of the text', async () => {
    for (const part of [rest('plain', 'ATT00001.txt'), rest('html', 'ATT00001.htm')]) {
      const mail = await readOf(within('mixed', TEXT, PICTURE, part))
      expect(mail.wholeText).toBe('Hello.\n\nBye.')
      expect(mail.attachments).toMatchObject([{ filename: 'a.png' }])
    }
  })

  test('is a file where it says so, as is one that somebody named', async () => {
    const attached = part('text/plain', 'Bye.', 'attachment; filename=ATT00001.txt')
    for (const [name, file] of [
      ['ATT00001.txt', attached],
      ['notes.txt', rest('plain', 'notes.txt')],
      ['page.html', rest('html', 'page.html')],
    ] as const) {
      const mail = await readOf(within('mixed', TEXT, file))
      expect(mail.wholeText).toBe('Hello.')
      expect(mail.attachments).toMatchObject([{ filename: name, isBody: false }])
    }
  })
})
