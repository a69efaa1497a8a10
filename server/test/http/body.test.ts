import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, startBellhop, type TestBellhop, TICKET } from '../bellhop.ts'

const TICKETS = '/v1/support/tickets'

let bellhop: TestBellhop
beforeAll(async () => {
  bellhop = await startBellhop()
})
afterAll(() => bellhop.stop())

const post = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
  bellhop.ask(TICKETS, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body })
const good = JSON.stringify(TICKET)
const utf8 = (text: string) => new TextEncoder().encode(text)

function expectRefusal(answer: Answer, status: number, error: string): void {
  expect(answer.body).toEqual({ error, message: expect.stringMatching(/^\S.*\.$/) })
  expect(answer.status).toBe(status)
}

type Read = {
  person_id: string
  subject: string
  messages: { body: string; attachments: { filename: string }[] }[]
}
const readBack = async (filed: Answer) => {
  expect(filed.status).toBe(201)
  return (await bellhop.ask(`${TICKETS}/${filed.body.ticket_id}`)).body as unknown as Read
}

describe('the content type', () => {
  test.each([
    'application/json',
    'APPLICATION/JSON',
    'application/json; charset=utf-8',
    'application/json;charset=UTF-8',
    'application/json; charset="UTF-8"',
    'application/json; Charset="utf-8"',
    'application/json;',
    'application/json; version=2',
    'application/json; version="2"; charset=utf-8',
    'application/json ; charset=utf-8 ;',
  ])('%s is taken', async (type) => {
    expect((await post(good, { 'content-type': type })).status).toBe(201)
  })

  test.each([
    'text/plain',
    'text/json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/problem+json',
    'application/merge-patch+json',
    'application/jsonp',
    'application/json, text/plain',
    'application/json; charset=latin1',
    'application/json; charset=iso-8859-1',
    'application/json; charset=utf-16',
    'application/json; charset=utf8',
    'application/json; charset=',
    "application/json; charset='utf-8'",
    'application/json; charset=utf-8; charset=latin1',
    'application/json; version=2; charset=latin1',
    'application/json; version',
    'application/json; =2',
    'json',
    '*/*',
    ';',
  ])('%s is not', async (type) => {
    expectRefusal(await post(good, { 'content-type': type }), 415, 'unsupported_media_type')
  })

  test('must be there', async () => {
    const answer = await bellhop.ask(TICKETS, { method: 'POST', body: utf8(good) })
    expectRefusal(answer, 415, 'unsupported_media_type')
    expectRefusal(await bellhop.ask(TICKETS, { method: 'POST' }), 415, 'unsupported_media_type')
  })

  test.each(['gzip', 'br', 'deflate', 'identity, gzip', 'aes128gcm'])(
    'a body under Content-Encoding %s is not read',
    async (encoding) => {
      expectRefusal(await post(good, { 'content-encoding': encoding }), 415, 'unsupported_media_type')
    },
  )

  test('a body under Content-Encoding identity is', async () => {
    expect((await post(good, { 'content-encoding': 'identity' })).status).toBe(201)
  })
})

describe('what is not one JSON value in UTF-8', () => {
  const broken = (byte: number[]) => new Uint8Array([...utf8('{"subject":"'), ...byte, ...utf8('"}')])
  test.each<[string, string | Uint8Array<ArrayBuffer>]>([
    ['nothing', ''],
    ['white space', ' \n'],
    ['half of it', good.slice(0, -1)],
    ['two of it', good + good],
    ['a comma too many', good.replace(/}$/, ',}')],
    ['single quotes', good.replaceAll('"', "'")],
    ['NaN', '{"subject":NaN}'],
    ['a comment', `/* */${good}`],
    ['a line break in a text', '{"subject":"a\nb"}'],
    ['a byte order mark', `\ufeff${good}`],
    ['a form', 'brand_id=acme&subject=Hello'],
    ['a Latin-1 letter', broken([0xe9])],
    ['half a letter', broken([0xc3])],
    ['an overlong slash', broken([0xc0, 0xaf])],
    ['a surrogate as three bytes', broken([0xed, 0xa0, 0x80])],
    ['a character beyond Unicode', broken([0xf4, 0x90, 0x80, 0x80])],
    ['UTF-16', new Uint8Array(Buffer.from(good, 'utf16le'))],
    ['deep brackets', '['.repeat(100_000)],
  ])('%s is invalid_json', async (_what, body) => {
    expectRefusal(await post(body), 400, 'invalid_json')
  })

  test('and what is said of it quotes none of it', async () => {
    const { body } = await post('{"subject": c4nary }')
    expect(JSON.stringify(body)).not.toContain('c4nary')
  })
})

test('deep nesting where nobody looks does no harm', async () => {
  const deep = `${'['.repeat(5000)}${']'.repeat(5000)}`
  expect((await post(`${good.slice(0, -1)},"note":${deep}}`)).status).toBe(201)
  expectRefusal(await post(deep), 400, 'validation_error')
})

describe('what is JSON but no ticket is said field by field', () => {
  test.each(['null', 'true', '7', '"a"', '[]', `[${good}]`])('%s', async (body) => {
    const answer = await post(body)
    expectRefusal(answer, 400, 'validation_error')
    expect(answer.body.message).toBe('the body must be an object.')
  })

  const texts = ['brand_id', 'person_id', 'requester_email', 'requester_name', 'subject', 'body']
  test.each(texts)('%s of another type, null among them, is not coerced', async (field) => {
    for (const value of [null, 7, true, ['c4nary'], { c4nary: 'c4nary' }]) {
      const answer = await bellhop.file({ [field]: value })
      expectRefusal(answer, 400, 'validation_error')
      expect(answer.body.message).toBe(`${field} must be a string.`)
    }
  })

  test.each(texts.filter((field) => field !== 'requester_name'))('%s is missing', async (field) => {
    const answer = await bellhop.file({ [field]: undefined })
    expectRefusal(answer, 400, 'validation_error')
    expect(answer.body.message).toBe(`${field} is required.`)
  })

  test.each(texts.filter((field) => field !== 'requester_email'))('%s is empty', async (field) => {
    const answer = await bellhop.file({ [field]: '' })
    expectRefusal(answer, 400, 'validation_error')
    expect(answer.body.message).toBe(`${field} must not be empty.`)
  })

  test.each(texts)('%s holds NUL', async (field) => {
    const answer = await bellhop.file({ [field]: 'c4nary\0@example.com' })
    expectRefusal(answer, 400, 'validation_error')
    expect(answer.body.message).toContain(field)
    expect(answer.text).not.toContain('c4nary')
  })

  const file = { filename: 'a.txt', content_base64: 'YQ==', content_type: 'text/plain' }
  test.each(Object.keys(file))('attachment.%s is null, a number, empty, or holds NUL', async (field) => {
    for (const value of [null, 7, '', 'c4nary\0']) {
      const answer = await bellhop.file({ attachment: { ...file, [field]: value } })
      expectRefusal(answer, 400, 'validation_error')
      expect(answer.body.message).toContain(`attachment.${field}`)
      expect(answer.text).not.toContain('c4nary')
    }
  })

  test.each([
    ['null', null],
    ['a list', [file]],
    ['a text', 'YQ=='],
  ])('attachment is %s', async (_what, attachment) => {
    const answer = await bellhop.file({ attachment })
    expectRefusal(answer, 400, 'validation_error')
    expect(answer.body.message).toContain('attachment')
  })

  test('an address that is none', async () => {
    const answer = await bellhop.file({ requester_email: 'c4nary' })
    expectRefusal(answer, 400, 'validation_error')
    expect(answer.body.message).toMatch(/^requester_email .*RFC 5321/)
    expect(answer.text).not.toContain('c4nary')
  })

  test('everything that is wrong is said at once', async () => {
    const { body } = await bellhop.file({ subject: '', body: 7, brand_id: undefined })
    for (const field of ['subject', 'body', 'brand_id']) expect(body.message).toContain(field)
  })
})

describe('what was given is what is read back', () => {
  test('nothing is trimmed, folded, normalised or unescaped', async () => {
    const subject = ' \t Cafe\u0301 \u00a0\u2028\r\n<b>&amp;</b> \u202e\u{1f469}\u200d\u{1f680} %00 \\u0000 '
    const body = `\n\n${subject}\u0001\u001f\u007f\u0085\uffff\ufeff\n`
    const ticket = await readBack(await bellhop.file({ subject, body }))
    expect(ticket.subject).toBe(subject)
    expect(ticket.messages[0]?.body).toBe(body)
  })

  test('a subject of 50,000 characters, whole', async () => {
    const subject = 'ä'.repeat(50_000)
    expect((await readBack(await bellhop.file({ subject }))).subject).toBe(subject)
  })

  test('half a surrogate pair becomes the replacement character', async () => {
    const filed = await post(
      JSON.stringify({
        ...TICKET,
        subject: 'a\ud800b',
        body: '\udc00\u{1f600}\ud83d',
        requester_name: '\udfff',
        attachment: { filename: '\ud800.txt', content_base64: 'YQ==', content_type: 'text/\ud800' },
      }),
    )
    const ticket = await readBack(filed)
    expect(ticket.subject).toBe('a\ufffdb')
    expect(ticket.messages[0]?.body).toBe('\ufffd\u{1f600}\ufffd')
    expect(ticket.messages[0]?.attachments).toMatchObject([
      { filename: '\ufffd.txt', content_type: 'text/\ufffd' },
    ])
  })

  test('a trusted person id with half a pair is that with the replacement character', async () => {
    const authorization = `Bearer ${await bellhop.issuer.token({ sub: 'per_\ufffd' })}`
    const filed = await bellhop.file({ person_id: 'per_\ud800' }, { authorization })
    expect(filed.status).toBe(201)
  })
})

describe('what the schema does not know', () => {
  const withMore = (more: string) => `${good.slice(0, -1)},${more}}`
  test.each([
    ['an unknown field', '"priority":"high"'],
    ['__proto__', '"__proto__":{"subject":7,"requester_name":7,"attachment":{"filename":"a"}}'],
    ['constructor', '"constructor":{"prototype":{"subject":7}}'],
    ['an empty name', '"":0'],
    ['NUL in its name and value', '"a\\u0000":"\\u0000"'],
    [
      'inside the attachment',
      '"attachment":{"filename":"a","content_base64":"YQ==","__proto__":{"content_type":7},"x":1}',
    ],
  ])('is ignored: %s', async (_what, more) => {
    const ticket = await readBack(await post(withMore(more)))
    expect(ticket.subject).toBe(TICKET.subject)
    expect(JSON.stringify(ticket)).not.toContain('priority')
  })

  test('gives no field by way of a prototype', async () => {
    const { subject: _, ...rest } = TICKET
    const answer = await post(`{${JSON.stringify(rest).slice(1, -1)},"__proto__":{"subject":"inherited"}}`)
    expectRefusal(answer, 400, 'validation_error')
    expect(answer.body.message).toBe('subject is required.')
    expect(
      (
        await readBack(
          await post(withMore('"__proto__":{"attachment":{"filename":"a","content_base64":"YQ=="}}')),
        )
      ).messages[0]?.attachments,
    ).toEqual([])
    expect({}).not.toHaveProperty('subject')
  })

  test('of a field given twice the last one counts', async () => {
    expect((await readBack(await post(withMore('"subject":"the last"')))).subject).toBe('the last')
  })
})
