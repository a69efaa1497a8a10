import { expect, test } from 'vitest'
import { fromId, newUuid, toId } from '../src/ids.ts'

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

test('ids that one process makes stand in the order in which it made them, and no two are the same', () => {
  const made = Array.from({ length: 20_000 }, newUuid)
  for (const uuid of made) expect(uuid).toMatch(UUID_V7)
  expect(made.toSorted()).toEqual(made)
  expect(new Set(made).size).toBe(made.length)
})

test('an id is of one kind, and is read back', () => {
  const uuid = newUuid()
  expect(fromId('tkt', toId('tkt', uuid))).toBe(uuid)
  expect(fromId('msg', toId('tkt', uuid))).toBe(null)
})
