import { openapi } from '@bellhop/contract'
import { describe, expect, test } from 'vitest'
import type { Answer } from '../fuzz/answer.ts'
import type { Case } from '../fuzz/case.ts'
import { judge } from '../fuzz/oracle.ts'
import { type Document, readSurface } from '../fuzz/surface.ts'
import { CANARY } from '../fuzz/values.ts'

// As it goes over the wire, where a schema has no symbols.
const surface = readSurface(JSON.parse(JSON.stringify(openapi('1.0.0'))) as Document)
const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' }
const CHALLENGE = { ...JSON_TYPE, 'www-authenticate': 'Bearer realm="bellhop"' }

const FILING: Case = {
  what: 'a ticket',
  operation: 'POST /v1/support/tickets',
  method: 'POST',
  target: '/v1/support/tickets',
  headers: [],
  body: Buffer.from('{}'),
  expect: null,
}
const NOWHERE: Case = { ...FILING, operation: null, method: 'GET', target: '/nowhere', body: null }

function answer(status: number, body: unknown, headers: Record<string, string> = JSON_TYPE): Answer {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return {
    status,
    headers: new Map(Object.entries(headers)),
    head: JSON.stringify(headers),
    text,
    last: false,
  }
}
const refusal = (error: string, message = 'It is not right.') => ({ error, message })
const RECEIPT = { ticket_id: 'tkt_0', message_id: 'msg_0', status: 'sent' }

describe('an answer that is right', () => {
  test.each<[string, Case, Answer]>([
    ['a receipt', FILING, answer(201, RECEIPT)],
    ['a refusal', FILING, answer(400, refusal('validation_error'))],
    ['a refusal for the token', FILING, answer(401, refusal('unauthorized'), CHALLENGE)],
    ['that nothing is there', NOWHERE, answer(404, refusal('not_found'))],
    [
      'that it is full',
      { ...FILING, expect: [201] },
      answer(503, refusal('unavailable'), { ...JSON_TYPE, 'retry-after': '5' }),
    ],
    ['to HEAD', { ...NOWHERE, method: 'HEAD' }, answer(404, '')],
  ])('%s', (_what, one, given) => {
    expect(judge(surface, one, given)).toBeNull()
  })
})

describe('an answer that is wrong is seen to be', () => {
  const expected = (status: number, ...codes: string[]): Case => ({
    ...FILING,
    expect: [status],
    ...(codes.length > 0 ? { codes } : {}),
  })
  test.each<[string, Case, Answer, RegExp]>([
    ['a bug', FILING, answer(500, refusal('internal_error')), /answered 500/],
    ['a forged token is let in', expected(401), answer(201, RECEIPT), /201 where 401/],
    ['a status that the document has elsewhere', FILING, answer(404, refusal('not_found')), /not documented/],
    ['a status that it has nowhere', NOWHERE, answer(418, refusal('teapot')), /not documented/],
    ['another code', expected(400, 'invalid_json'), answer(400, refusal('validation_error')), /the code is/],
    ['a code of another status', FILING, answer(400, refusal('rate_limited')), /code that is not documented/],
    ['a third member', FILING, answer(400, { ...refusal('invalid_json'), at: 3 }), /another body/],
    [
      'the framework’s own body',
      FILING,
      answer(400, { statusCode: 400, error: 'Bad Request' }),
      /another body/,
    ],
    ['no JSON', FILING, answer(400, '<h1>No</h1>'), /no JSON body/],
    [
      'HTML',
      FILING,
      answer(400, refusal('invalid_json'), { 'content-type': 'text/html' }),
      /no JSON in UTF-8/,
    ],
    ['no sentence', FILING, answer(400, refusal('invalid_json', 'no')), /no sentence/],
    ['a value in the message', FILING, answer(400, refusal('invalid_json', `Not ${CANARY}.`)), /repeats/],
    [
      'a value in a header',
      FILING,
      answer(401, refusal('unauthorized'), { ...CHALLENGE, x: CANARY }),
      /repeats/,
    ],
    ['no challenge', FILING, answer(401, refusal('unauthorized')), /lacks the header www-authenticate/],
    ['no Allow', NOWHERE, answer(405, refusal('method_not_allowed')), /lacks the header allow/],
    ['no Retry-After', FILING, answer(503, refusal('unavailable')), /lacks the header retry-after/],
    [
      'no count of the limit',
      FILING,
      answer(429, refusal('rate_limited'), { ...JSON_TYPE, 'retry-after': '5' }),
      /ratelimit/,
    ],
    ['a receipt with less', FILING, answer(201, { ticket_id: 'tkt_0', status: 'sent' }), /as its schema/],
    ['a receipt with more', FILING, answer(201, { ...RECEIPT, issuer: 'x' }), /as its schema/],
    ['a receipt of another status', FILING, answer(201, { ...RECEIPT, status: 'lost' }), /as its schema/],
    ['a body for HEAD', { ...NOWHERE, method: 'HEAD' }, answer(404, refusal('not_found')), /HEAD has a body/],
  ])('%s', (_what, one, given, fault) => {
    expect(judge(surface, one, given)).toMatch(fault)
  })
})
