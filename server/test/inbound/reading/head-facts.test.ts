import { describe, expect, test } from 'vitest'
import { mailOf } from '../signed-mail.ts'
import { read } from './a-reading.ts'

const PERSON = {
  autoSubmitted: null,
  precedence: null,
  autoreply: false,
  listId: false,
  suppress: false,
  emptyReturnPath: false,
}

describe('what sent a mail', () => {
  test('a person', async () => {
    expect((await read(mailOf({ 'Return-Path': '<ada@example.com>' }))).automatic).toEqual(PERSON)
  })

  test.each<[string, Record<string, string>, object]>([
    [
      'a machine that says so',
      { 'Auto-Submitted': 'Auto-Replied; owner-email="a@b.example"' },
      { autoSubmitted: 'auto-replied' },
    ],
    ['a person, who says so', { 'Auto-Submitted': 'no (really)' }, { autoSubmitted: 'no' }],
    ['a mass mailing', { Precedence: 'Bulk' }, { precedence: 'bulk' }],
    ['an answering machine', { 'X-Autoreply': 'yes' }, { autoreply: true }],
    ['another one', { 'X-Autorespond': 'Out of office' }, { autoreply: true }],
    ['one that says that it is none', { 'X-Autoreply': 'no' }, {}],
    ['a list', { 'List-Id': '<team.example.com>', Precedence: 'list' }, { listId: true, precedence: 'list' }],
    ['Exchange', { 'X-Auto-Response-Suppress': 'All' }, { suppress: true }],
    ['Exchange, which suppresses nothing', { 'X-Auto-Response-Suppress': 'None' }, {}],
    ['a mail server', { 'Return-Path': '<>' }, { emptyReturnPath: true }],
    ['a mail server, loosely', { 'Return-Path': '< >' }, { emptyReturnPath: true }],
  ])('%s', async (_who, fields, automatic) => {
    expect((await read(mailOf(fields))).automatic).toEqual({ ...PERSON, ...automatic })
  })
})

describe('what a mail is an answer to, and whom it went to', () => {
  test('Message-IDs keep their brackets and their order, and nothing else is one', async () => {
    const mail = await read(
      mailOf({
        'Message-ID': ' (c) <A@b.example> ',
        'In-Reply-To': 'Your mail of Monday <dlv_1@acme.example>',
        References: '<a@b.example>\r\n\t<c@d.example><a@b.example> junk <dlv_1@acme.example>',
      }),
    )
    expect(mail).toMatchObject({
      messageId: '<A@b.example>',
      inReplyTo: ['<dlv_1@acme.example>'],
      references: ['<a@b.example>', '<c@d.example>', '<dlv_1@acme.example>'],
    })
    const many = Array.from({ length: 500 }, (_, at) => `<${at}@b.example>`)
    const { references } = await read(mailOf({ References: many.join(' ') }))
    expect(references).toEqual(many.slice(-100))
    expect(await read(mailOf({}))).toMatchObject({ messageId: null, inReplyTo: [], references: [] })
  })

  test('every address that any server wrote down, once', async () => {
    const mail = await read(
      mailOf({
        To: '"Acme, Support" <Support+x@ACME.example>, other@acme.example',
        Cc: 'Friends: bo@example.com;',
        'Delivered-To': 'Support+x@acme.example',
        'X-Original-To': 'original@acme.example',
        'Envelope-To': '<envelope@acme.example>',
        Bcc: 'bcc@acme.example',
      }),
    )
    expect(mail.recipients).toEqual([
      'Support+x@acme.example',
      'other@acme.example',
      'bo@example.com',
      'original@acme.example',
      'envelope@acme.example',
    ])
  })

  test('its date, or none', async () => {
    const dated = await read(mailOf({ Date: 'Mon, 5 Jan 2026 10:00:00 +0100 (CET)' }))
    expect(dated.date).toEqual(new Date('2026-01-05T09:00:00Z'))
    expect((await read(mailOf({ Date: 'yesterday' }))).date).toBeNull()
    expect((await read(mailOf({}))).date).toBeNull()
  })
})
