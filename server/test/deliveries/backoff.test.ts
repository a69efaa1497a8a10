import { describe, expect, test } from 'vitest'
import type { AttemptResult, Outcome } from '../../src/connectors/connector.ts'
import { afterAttempt } from '../../src/deliveries/backoff.ts'

const ended = (outcome: Outcome, retryAfter: number | null = null): AttemptResult => ({
  outcome,
  code: 'smtp_450',
  answer: null,
  retryAfter,
  alarm: false,
})
const HOUR = 3600
const almost = () => 1 - Number.EPSILON

describe('after an attempt', () => {
  test('that ended for good there is no next one', () => {
    expect(afterAttempt(ended('delivered'), 1, Math.random)).toEqual({ next: 'delivered', delay: 0 })
    expect(afterAttempt(ended('permanent', 60_000), 9, Math.random)).toEqual({ next: 'rejected', delay: 0 })
  })

  test.each(['retry', 'uncertain'] as const)('%s: the wait doubles from 1 s to 1 h', (outcome) => {
    const ceilings = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, HOUR, HOUR]
    for (const [index, ceiling] of ceilings.entries()) {
      const { next, delay } = afterAttempt(ended(outcome), index + 1, almost)
      expect(next).toBe('pending')
      expect(delay).toBeCloseTo(ceiling, 6)
      expect(delay).toBeLessThan(ceiling)
    }
    expect(afterAttempt(ended(outcome), 100_000, almost).delay).toBeCloseTo(HOUR, 6)
  })

  test('the wait is anywhere below that, so that what failed together does not come back together', () => {
    expect(afterAttempt(ended('retry'), 8, () => 0).delay).toBe(0)
    expect(afterAttempt(ended('retry'), 8, () => 0.25).delay).toBe(32)
  })

  test('the desk is never asked earlier than it said, and a day is the most that it can say', () => {
    expect(afterAttempt(ended('retry', 120_000), 1, almost).delay).toBe(120)
    expect(afterAttempt(ended('retry', 1000), 13, () => 0.5).delay).toBe(HOUR / 2)
    expect(afterAttempt(ended('retry', 30 * 24 * HOUR * 1000), 1, almost).delay).toBe(24 * HOUR)
  })
})
