import { readdirSync, readFileSync } from 'node:fs'
import { simpleParser } from 'mailparser'
import { describe, expect, test } from 'vitest'
import { mailOf } from '../signed-mail.ts'
import { read } from './a-reading.ts'

/**
 * Answers to one mail of ours, in the shapes that mail programs give them, in English, German and French. Each has a
 * text beside it: what a person wrote, and nothing else.
 */
const folder = new URL('../corpus/', import.meta.url)
const names = readdirSync(folder)
  .filter((name) => name.endsWith('.eml'))
  .map((name) => name.slice(0, -4))

/** Where lines end is a program's choice. */
function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '')
}

describe('a person reads what was written, whatever program it was written in', () => {
  test('there are thirty', () => {
    expect(names).toHaveLength(30)
  })

  test.each(names)('%s', async (name) => {
    const mail = await read(readFileSync(new URL(`${name}.eml`, folder)))
    const expected = readFileSync(new URL(`${name}.txt`, folder), 'utf8')
    expect(`${mail.newestText}\n`).toBe(expected)
    expect(mail.uncertain).toBe(false)
    // Nothing is lost beside it, and it is known whose answer it is, and to what.
    expect(mail.wholeText).toContain('Please reply above this line')
    expect(mail.from).toEqual({ address: 'ada@example.com', name: 'Ada Lovelace' })
    expect(mail.inReplyTo).toEqual(['<dlv_0199c0ffee007000800000000000000a@acme.example>'])
    expect(mail.recipients).toEqual(['support+ahaatqp64ztqaaaaaaaaaaaabihhdfvjh2zi6fkqdlhq@acme.example'])
    expect(mail.bounce).toBeNull()
    const files = name.startsWith('apple-mail') ? ['Zettel – A4.png'] : []
    expect(mail.attachments.map(({ filename }) => filename)).toEqual(files)
  })

  test.each(names.filter((name) => name.endsWith('above')))('%s, of its HTML alone', async (name) => {
    const { html } = await simpleParser(readFileSync(new URL(`${name}.eml`, folder)), { keepCidLinks: true })
    const mail = await read(mailOf({ 'Content-Type': 'text/html; charset=utf-8' }, html || ''))
    const expected = readFileSync(new URL(`${name}.txt`, folder), 'utf8')
    expect(words(mail.newestText)).toEqual(words(expected))
    expect(mail.uncertain).toBe(false)
  })

  test('each subject is decoded', async () => {
    const subjects = new Set<string>()
    for (const name of names) subjects.add((await read(readFileSync(new URL(`${name}.eml`, folder)))).subject)
    expect([...subjects].sort()).toEqual([
      'AW: Der Drucker im zweiten Stock für Köln',
      'Re: L’imprimante du deuxième étage',
      'Re: The printer on the second floor',
    ])
  })
})
