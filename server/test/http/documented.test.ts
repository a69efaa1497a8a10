import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ErrorCode, STATUS } from '../../src/errors.ts'
import { startBellhop, type TestBellhop } from '../bellhop.ts'

type Operation = { description?: string; responses: Record<string, { description: string }> }
type Document = { info: { description: string }; paths: Record<string, Record<string, Operation>> }

let bellhop: TestBellhop
let published: Document
beforeAll(async () => {
  bellhop = await startBellhop()
  published = (await bellhop.ask('/openapi.json')).body as Document
})
afterAll(() => bellhop.stop())

/** What any request can meet, and what only some can. */
const ANYWHERE: ErrorCode[] = [
  'bad_request',
  'request_timeout',
  'uri_too_long',
  'headers_too_large',
  'not_found',
  'method_not_allowed',
  'internal_error',
]
/** What only a ticket that is there can be answered with. */
const LATER: ErrorCode[] = ['ticket_closed']
const filing = Object.entries(STATUS).filter(([code]) => ![...ANYWHERE, ...LATER].includes(code as ErrorCode))
/** What the calls about a ticket that is there can meet, whoever speaks. */
const OF_A_TICKET: ErrorCode[] = ['unauthorized', 'insufficient_scope', 'not_found', 'unavailable']
const OF_A_CHANGE: ErrorCode[] = [
  ...OF_A_TICKET,
  'invalid_json',
  'validation_error',
  'request_timeout',
  'payload_too_large',
  'unsupported_media_type',
  'ticket_closed',
  'idempotency_conflict',
  'idempotency_mismatch',
  'rate_limited',
]

describe('who reads /openapi.json learns of every error', () => {
  test.each(ANYWHERE)('%s, which any request can meet', (code) => {
    expect(published.info.description).toContain(`\`${code}\` (${STATUS[code]})`)
  })

  test.each(filing)('%s (%i), where a ticket is filed', (code, status) => {
    const operation = published.paths['/v1/support/tickets']?.post
    const answer = operation?.responses[status]
    expect(answer).toBeDefined()
    expect(`${answer?.description} ${operation?.description}`).toContain(`\`${code}\``)
  })

  test.each<[string, string, ErrorCode[]]>([
    ['get', '', ['validation_error', 'unknown_brand', 'unauthorized', 'forbidden_brand', 'forbidden_person']],
    ['get', '/{ticket_id}', OF_A_TICKET],
    ['patch', '/{ticket_id}', OF_A_CHANGE],
    ['post', '/{ticket_id}/messages', [...OF_A_CHANGE, 'invalid_attachment', 'upstream_error']],
    ['get', '/{ticket_id}/attachments/{attachment_id}', OF_A_TICKET],
    ['get', '/{ticket_id}/events', [...OF_A_TICKET, 'validation_error', 'rate_limited']],
  ])('and at %s /v1/support/tickets%s', (method, path, codes) => {
    const operation = published.paths[`/v1/support/tickets${path}`]?.[method]
    for (const code of codes) {
      expect(operation?.responses[STATUS[code]]?.description).toContain(`\`${code}\``)
    }
  })

  test.each<ErrorCode>([
    'unauthorized',
    'not_found',
    'unavailable',
    'invalid_json',
    'validation_error',
    'invalid_attachment',
    'request_timeout',
    'payload_too_large',
    'unsupported_media_type',
    'ticket_closed',
    'idempotency_conflict',
    'idempotency_mismatch',
  ])('%s, where a desk answers', (code) => {
    const operation = published.paths['/v1/desk/{brand}/tickets/{ticket_id}/messages']?.post
    expect(operation?.responses[STATUS[code]]?.description).toContain(`\`${code}\``)
  })

  test('and at the probe', () => {
    expect(published.paths['/readyz']?.get?.responses[503]?.description).toContain('`unavailable`')
  })
})

test('every documented path is there, and answers with a documented status', async () => {
  for (const [path, operations] of Object.entries(published.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const asked = path.replaceAll(/\{\w+\}/g, 'tkt_0')
      const { status } = await bellhop.ask(asked, { method: method.toUpperCase() })
      expect(Object.keys(operation.responses)).toContain(String(status))
    }
  }
})
