import { expect, test } from 'vitest'
import { faultOfAuthorName } from '../../src/desk/author-name.ts'

test.each([
  'Grace Hopper',
  'O’Neill, "Ace"',
  '陳大文',
  '👩‍💻',
  'x'.repeat(200),
  '𝒢'.repeat(200),
  // A Persian name with a joiner, and a Hebrew one in a text of the other direction.
  'علی\u200cرضا',
  '\u2067גרייס\u2069 (Acme)\u200e',
])('%j is a name', (name) => {
  expect(faultOfAuthorName(name)).toBeNull()
})

test.each([
  ['', 'must not be empty'],
  [' \u00a0 ', 'must not be empty'],
  ['𝒢'.repeat(201), 'must have at most 200 characters'],
  ['Grace\nBcc: eve@example.com', 'must not contain control characters'],
  ['Grace\u2028Hopper', 'must not contain control characters'],
  ['Grace\u001b[31m', 'must not contain control characters'],
  ['Grace\u0085', 'must not contain control characters'],
])('%j %s', (name, fault) => {
  expect(faultOfAuthorName(name)).toBe(fault)
})
