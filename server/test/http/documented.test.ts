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
const filing = Object.entries(STATUS).filter(([code]) => !ANYWHERE.includes(code as ErrorCode))

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

  test.each<[string, ErrorCode[]]>([
    ['/v1/support/tickets/{ticket_id}', ['unauthorized', 'insufficient_scope', 'not_found', 'unavailable']],
    ['/readyz', ['unavailable']],
  ])('and where %s is read', (path, codes) => {
    for (const code of codes) {
      expect(published.paths[path]?.get?.responses[STATUS[code]]?.description).toContain(`\`${code}\``)
    }
  })
})

test('every documented path is there, and answers with a documented status', async () => {
  for (const [path, operations] of Object.entries(published.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const asked = path.replace('{ticket_id}', 'tkt_0')
      const { status } = await bellhop.ask(asked, { method: method.toUpperCase() })
      expect(Object.keys(operation.responses)).toContain(String(status))
    }
  }
})
