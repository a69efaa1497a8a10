import { expect, test } from 'vitest'
import { readMail } from '../../server/src/inbound/reading/read-mail.ts'
import { judgeReading } from '../fuzz/mails/judge.ts'
import { mailOf } from '../fuzz/mails/make.ts'
import { MUTATIONS } from '../fuzz/mails/mutations.ts'
import { SHAPES } from '../fuzz/mails/shapes.ts'
import { readFuzzOptions } from '../fuzz/options.ts'

const WHO = {
  ...{ from: 'ada@example.com', to: ['support@acme.example'], ours: ['<msg_0@acme.example>'] },
  authservId: 'mx.acme.example',
}
const OPTIONS = {
  trustedAuthservIds: [WHO.authservId],
  resolve: async () => {
    throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })
  },
}

test('the same seed and number make the same mail, to the last byte', () => {
  const all = Array.from({ length: 200 }, (_, number) => mailOf(7, number, WHO, []))
  expect(mailOf(7, 150, WHO, [])).toEqual(all[150])
  expect(mailOf(8, 150, WHO, []).bytes.equals(all[150]?.bytes ?? Buffer.alloc(0))).toBe(false)
  const unchanged = all.filter(({ what }) => what === 'unchanged').length
  expect(unchanged).toBeGreaterThan(5)
  expect(unchanged).toBeLessThan(50)
  const tried = new Set(all.flatMap(({ what }) => what.split(', ')))
  for (const { what } of MUTATIONS) expect(tried).toContain(what)
})

test('a mail as its sender wrote it is read, in every shape, and passes', async () => {
  for (const shape of SHAPES) {
    const raw = Buffer.from(shape(() => 0.5, WHO).replaceAll('\n', '\r\n'), 'latin1')
    const mail = await readMail(raw, OPTIONS)
    if ('unreadable' in mail) throw new Error(mail.unreadable)
    expect(mail.from?.address).toBe(WHO.from)
    expect(mail.authentication.passed).toBe(true)
    expect(judgeReading(mail, raw)).toBeNull()
  }
})

test.each([
  ['<p onclick="x">', 'would do something'],
  ['<script>', 'would do something'],
  ['<a href="javascript:x">', 'would do something'],
  ['&lt;script&gt; <p title="x">onclick=', null],
])('HTML is judged: %s', async (html, fault) => {
  const raw = Buffer.from(SHAPES[0]?.(() => 0.5, WHO).replaceAll('\n', '\r\n') ?? '')
  const mail = await readMail(raw, OPTIONS)
  if ('unreadable' in mail) throw new Error(mail.unreadable)
  const found = judgeReading({ ...mail, html }, raw)
  if (fault === null) expect(found).toBeNull()
  else expect(found).toContain(fault)
})

test('what ships is of a million requests and ten thousand mails, or of one of them alone', () => {
  expect(readFuzzOptions({})).toMatchObject({ requests: 1_000_000, mails: 10_000, out: expect.anything() })
  expect(readFuzzOptions({ only: 'mails' })).toMatchObject({
    requests: 0,
    mails: 10_000,
    out: expect.anything(),
  })
  expect(readFuzzOptions({ only: 'requests' })).toMatchObject({ mails: 0, out: expect.anything() })
  expect(readFuzzOptions({ mails: '20' })).toMatchObject({ mails: 20, out: null })
  expect(readFuzzOptions({ only: 'mails', mail: '3', seed: '1' })).toMatchObject({ mail: 3, out: null })
  expect(() => readFuzzOptions({ mail: '3' })).toThrow('--seed')
  expect(() => readFuzzOptions({ only: 'all' })).toThrow('--only')
})
