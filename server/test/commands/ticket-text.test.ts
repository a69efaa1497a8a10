import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { forTerminal, jsonOnTerminal, onLines, onOneLine } from '../../src/commands/terminal-text.ts'
import { readText } from '../../src/commands/ticket-text.ts'

describe('what is to be said', () => {
  const typed = (text: string | Buffer, isTTY: boolean) => {
    let told = ''
    const errors = { write: (line: string) => (told += line) } as unknown as NodeJS.WritableStream
    const input = Object.assign(Readable.from([text]), { isTTY }) as unknown as NodeJS.ReadStream
    return { terminal: { input, errors }, told: () => told }
  }

  test('on a terminal, whoever waits is told so; in a pipe nobody is', async () => {
    const person = typed('Yes.\n', true)
    expect(await readText(undefined, person.terminal, 100)).toBe('Yes.')
    expect(person.told()).toMatch(/Ctrl-D/)
    const pipe = typed('Two\r\nlines\r\n\r\n', false)
    expect(await readText(undefined, pipe.terminal, 100)).toBe('Two\r\nlines')
    expect(pipe.told()).toBe('')
  })

  test('is not waited for where an option says it', async () => {
    const person = typed('never read', true)
    expect(await readText('Yes.', person.terminal, 100)).toBe('Yes.')
    expect(person.told()).toBe('')
  })

  test.each<[string, string | Buffer, RegExp]>([
    ['nothing', ' \n', /^Expected a text/],
    ['NUL', 'a\0b', /NUL/],
    ['bytes that are no text', Buffer.from([0xff, 0xfe]), /UTF-8/],
    ['more than anybody may say', 'x'.repeat(101), /over 100 bytes/],
  ])('is refused where it is %s', async (_what, text, message) => {
    await expect(readText(undefined, typed(text, false).terminal, 100)).rejects.toThrow(message)
  })
})

describe('what somebody else wrote moves no terminal', () => {
  const HOSTILE = 'a\u001b[2Jb\u009bc\u202ed\u2066e\u2028f\u{e0001}g'

  test('on one line, and on many', () => {
    expect(onOneLine(HOSTILE)).toBe('a<U+001B>[2Jb<U+009B>c<U+202E>d<U+2066>e<U+2028>f<U+E0001>g')
    expect(onOneLine('one\ntwo')).toBe('one<U+000A>two')
    expect(onLines('one\r\n\ttwo\rthree', '| ')).toBe('| one\n|     two\n| three\n')
    expect(forTerminal('one\n\u001btwo')).toBe('one\n<U+001B>two')
  })

  test('in JSON, which says the same', () => {
    const json = jsonOnTerminal({ text: `${HOSTILE}\n` })
    expect(json.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}]/u)
    expect(JSON.parse(json)).toEqual({ text: `${HOSTILE}\n` })
  })

  test('letters of every script are as they were', () => {
    const text = 'Grüße, Ἀθήνα, שלום, مرحبا, नमस्ते, 👩‍💻'
    expect(onOneLine(text)).toBe(text)
  })
})
