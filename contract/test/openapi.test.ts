import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Validator } from '@seriousme/openapi-schema-validator'
import { describe, expect, test } from 'vitest'
import { openapi } from '../src/index.ts'

type Json = { [name: string]: Json }

/** As a client reads it. */
const published: Json = JSON.parse(JSON.stringify(openapi('1.2.3')))
const contract: Json = JSON.parse(
  readFileSync(join(import.meta.dirname, 'support-tickets.openapi.json'), 'utf8'),
)
const operation = (document: Json) => document.paths?.['/v1/support/tickets']?.post ?? {}

describe('the operation is the one of the contract', () => {
  test.each(['requestBody', 'security'])('its %s', (part) => {
    expect(operation(contract)[part]).toBeDefined()
    expect(operation(published)[part]).toEqual(operation(contract)[part])
  })

  test.each(['201', '400', '403'])('its answer %s', (status) => {
    expect(operation(contract).responses?.[status]).toBeDefined()
    expect(operation(published).responses?.[status]).toEqual(operation(contract).responses?.[status])
  })

  test('its error body and security scheme', () => {
    expect(published.components).toEqual(contract.components)
  })

  test('whatever else it answers is documented beside them, with the same error body', () => {
    const { responses = {} } = operation(published)
    expect(Object.keys(responses)).toEqual(
      expect.arrayContaining(['401', '409', '413', '415', '422', '429', '503']),
    )
    for (const [status, answer] of Object.entries(responses)) {
      if (status === '201') continue
      expect(answer.content?.['application/json']?.schema).toEqual({ $ref: '#/components/schemas/Error' })
    }
  })

  test('the header that makes a retry safe is documented and may be left out', () => {
    expect(operation(published).parameters).toEqual([
      expect.objectContaining({ name: 'Idempotency-Key', in: 'header', required: false }),
    ])
  })
})

test('the document is valid OpenAPI 3.1', async () => {
  const validator = new Validator()
  expect(await validator.validate(structuredClone(published))).toMatchObject({ valid: true })
  expect(validator.version).toBe('3.1')
})

test('the validator would have noticed', async () => {
  const broken = structuredClone(published)
  delete broken.info
  expect(await new Validator().validate(broken)).toMatchObject({ valid: false })
})

// A change of the document is a change for every client: `npx vitest run contract -u` after reading the difference.
test('the document is the one that was agreed on', async () => {
  await expect(`${JSON.stringify(published, null, 2)}\n`).toMatchFileSnapshot('openapi.golden.json')
})
