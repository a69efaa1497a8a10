import { expect, test } from 'vitest'
import { MinuteCounts } from '../../src/http/rate-limit.store.ts'

const MINUTE = 60_000

function startCounts() {
  let now = 1000
  const counts = new MinuteCounts({}, () => now)
  const count = (person: string) => {
    let seen: { current: number; ttl: number } | undefined
    counts.child().incr(
      person,
      (_error, result) => {
        seen = result
      },
      MINUTE,
    )
    return seen
  }
  return {
    count,
    forward(ms: number) {
      now += ms
    },
  }
}

test("a person's minute begins with their first ticket, and is theirs alone", () => {
  const { count, forward } = startCounts()
  expect(count('ada')).toEqual({ current: 1, ttl: MINUTE })
  forward(45_000)
  expect(count('ada')).toEqual({ current: 2, ttl: 15_000 })
  expect(count('grace')).toEqual({ current: 1, ttl: MINUTE })
  forward(14_999)
  expect(count('ada')).toEqual({ current: 3, ttl: 1 })
  forward(1)
  expect(count('ada')).toEqual({ current: 1, ttl: MINUTE })
})
