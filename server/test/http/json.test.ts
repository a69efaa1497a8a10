import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MAX_JSON_VALUES, parseJson } from '../../src/http/json.ts'
import { startBellhop, type TestBellhop, TICKET } from '../bellhop.ts'

const MIB = 1024 * 1024

const codeOf = (text: string) => {
  try {
    parseJson(Buffer.from(text))
    return null
  } catch (error) {
    return (error as { code?: string }).code
  }
}

describe('a body of so many values', () => {
  const zeros = (count: number) => Array<number>(count).fill(0)

  test('is taken up to the limit, whatever its strings hold', () => {
    const awkward = fc.string({
      unit: fc.constantFrom('"', '\\', '\\\\', ',', '[', '{', 'a', '語'),
      minLength: 900,
      maxLength: 2300,
      size: 'max',
    })
    fc.assert(
      fc.property(awkward, fc.boolean(), (text, last) => {
        const list = (count: number) =>
          JSON.stringify(last ? [...zeros(count - 1), text] : [text, ...zeros(count - 1)])
        expect(codeOf(list(MAX_JSON_VALUES))).toBe(null)
        expect(codeOf(list(MAX_JSON_VALUES + 1))).toBe('payload_too_large')
      }),
      { numRuns: 40 },
    )
  })

  test.each([
    ['lists in lists', '['.repeat(MIB)],
    ['members', `{${'"":0,'.repeat(MIB)}"":0}`],
    ['objects in a list', `[${'{} ,'.repeat(MIB)}{}]`],
  ])('is refused unread where they are %s', (_what, text) => {
    expect(codeOf(text)).toBe('payload_too_large')
  })

  test.each(['"', '"\\', '"\\"', `"${'a'.repeat(2000)}`, `"${'a'.repeat(2000)}\\"`, '""""'])(
    'is no JSON where a string does not end, as in %#',
    (text) => {
      expect(codeOf(text)).toBe('invalid_json')
    },
  )
})

describe('while a body of brackets is on its way', () => {
  let bellhop: TestBellhop
  beforeAll(async () => {
    bellhop = await startBellhop()
  })
  afterAll(() => bellhop.stop())

  test('the server goes on answering', async () => {
    const start = `${JSON.stringify(TICKET).slice(0, -1)},"note":`
    const depth = 13 * MIB - start.length
    const body = Buffer.from(`${start}${'['.repeat(depth)}${']'.repeat(depth)}}`)
    let refused = false
    const refusal = bellhop
      .ask('/v1/support/tickets', { method: 'POST', headers: { 'content-type': 'application/json' }, body })
      .finally(() => {
        refused = true
      })
    let slowest = 0
    while (!refused) {
      const started = performance.now()
      expect((await bellhop.ask('/healthz')).status).toBe(200)
      slowest = Math.max(slowest, performance.now() - started)
    }
    const { status, body: answer } = await refusal
    expect([status, answer.error]).toEqual([413, 'payload_too_large'])
    expect(slowest).toBeLessThan(3000)
  })
})
