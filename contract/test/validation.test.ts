import { describe, expect, test } from 'vitest'
import { checkNewMessage, checkTicketChange } from '../src/index.ts'

const file = { filename: 'a', content_base64: 'YQ==' }
const told = (faults: { field: string; expected: string }[]) =>
  faults.map(({ field, expected }) => `${field} ${expected}`)

describe('a follow-up', () => {
  test.each([
    [{ body: 'a' }],
    [{ body: 'a', attachments: [] }],
    [{ body: 'a', attachments: Array.from({ length: 10 }, () => file), other: null }],
  ])('%j is one', (body) => {
    expect(checkNewMessage(body)).toEqual([])
  })

  test.each([
    [null, ['the body must be an object']],
    [{}, ['body is required']],
    [{ body: '' }, ['body must not be empty']],
    [{ body: 'a', attachments: null }, ['attachments must be a list']],
    [{ body: 'a', attachments: ['x'] }, ['attachments.0 must be an object']],
    [{ body: 'a', attachments: [file, { filename: 'a' }] }, ['attachments.1.content_base64 is required']],
    [
      { body: 'a', attachments: Array.from({ length: 11 }, () => file) },
      ['attachments must have at most 10 elements'],
    ],
  ])('%j is none', (body, expected) => {
    expect(told(checkNewMessage(body))).toEqual(expected)
  })
})

describe('a change of a ticket', () => {
  test.each(['solved', 'open'])('to %s', (status) => {
    expect(checkTicketChange({ status })).toEqual([])
  })

  test.each([{ status: 'closed' }, { status: '' }, { status: ['open'] }, {}])('%j is none', (body) => {
    expect(checkTicketChange(body)[0]?.field).toBe('status')
  })
})
