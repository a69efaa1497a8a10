import { beforeEach, expect, test } from 'vitest'
import { Breaker } from '../../src/deliveries/breaker.ts'

let time: number
let breaker: Breaker
beforeEach(() => {
  time = 1_000_000
  breaker = new Breaker(() => time)
})

const fail = (times: number) => {
  for (let count = 0; count < times; count++) {
    breaker.end(breaker.begin(), false)
  }
}

test('a desk that fails now and then is not left alone', () => {
  fail(4)
  expect(breaker.isOpen).toBe(false)
  breaker.end(breaker.begin(), true)
  fail(4)
  expect(breaker.allow(5)).toBe(5)
})

test('five failures in a row, and it is left alone for five seconds, then probed by one delivery', () => {
  fail(5)
  expect(breaker.allow(5)).toBe(0)
  time += 4999
  expect(breaker.allow(5)).toBe(0)
  time += 1
  expect(breaker.allow(5)).toBe(1)
  const probe = breaker.begin()
  expect(breaker.allow(5)).toBe(0)
  breaker.end(probe, true)
  expect(breaker.isOpen).toBe(false)
  expect(breaker.allow(5)).toBe(5)
})

test('each probe that fails doubles the pause, up to a minute', () => {
  fail(5)
  for (const pause of [5, 10, 20, 40, 60, 60]) {
    time += pause * 1000 - 1
    expect(breaker.allow(1)).toBe(0)
    time += 1
    expect(breaker.allow(1)).toBe(1)
    fail(1)
  }
})

test('a desk that came back starts from the beginning', () => {
  fail(5)
  time += 5000
  fail(1)
  time += 10_000
  breaker.end(breaker.begin(), true)
  fail(5)
  time += 5000
  expect(breaker.allow(5)).toBe(1)
})

test('a probe that was not made after all leaves room for another', () => {
  fail(5)
  time += 5000
  breaker.cancel(breaker.begin())
  expect(breaker.allow(5)).toBe(1)
})

test('attempts that began before it was left alone, and fail late, do not prolong the pause', () => {
  fail(4)
  const atOnce = Array.from({ length: 5 }, () => breaker.begin())
  for (const turn of atOnce) breaker.end(turn, false)
  time += 4999
  expect(breaker.allow(5)).toBe(0)
  time += 1
  expect(breaker.allow(5)).toBe(1)
})

test('while a probe is under way, an attempt from before ends without making room for a second', () => {
  const [late, withdrawn] = [breaker.begin(), breaker.begin()]
  fail(5)
  time += 5000
  const probe = breaker.begin()
  breaker.end(late, false)
  breaker.cancel(withdrawn)
  expect(breaker.allow(5)).toBe(0)
  breaker.end(probe, false)
  time += 9999
  expect(breaker.allow(5)).toBe(0)
  time += 1
  expect(breaker.allow(5)).toBe(1)
})

test('one that was claimed before the desk was left alone is no probe, but a late success of it counts', () => {
  fail(5)
  const claimed = breaker.begin()
  breaker.end(claimed, false)
  time += 4999
  expect(breaker.allow(5)).toBe(0)
  const answered = breaker.begin()
  breaker.end(answered, true)
  expect(breaker.allow(5)).toBe(5)
})
