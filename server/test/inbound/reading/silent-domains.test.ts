import { beforeEach, describe, expect, test } from 'vitest'
import { SilentDomains } from '../../../src/inbound/reading/silent-domains.ts'

let now: number
let silent: SilentDomains
beforeEach(() => {
  now = 0
  silent = new SilentDomains(() => now)
})

const addKeys = (count: number, domain = 'silent.example', from = 0) => {
  for (let at = from; at < from + count; at++) silent.add(`key${at}._domainkey.${domain}`)
}

describe('keys that nobody has named yet', () => {
  test('are not asked for after five of their domain did not answer', () => {
    addKeys(4)
    silent.add('KEY0._domainkey.silent.example.')
    expect(silent.has('other._domainkey.silent.example')).toBe(false)
    addKeys(1, 'silent.example', 4)
    expect(silent.has('other._domainkey.silent.example')).toBe(true)
    expect(silent.has('a.other._domainkey.silent.example')).toBe(true)
    now = 60_000
    expect(silent.has('other._domainkey.silent.example')).toBe(false)
  })

  test('but what else the domain has, and whoever stands beside or below it, is', () => {
    addKeys(5)
    for (const name of [
      '_dmarc.silent.example',
      'silent.example',
      'one._domainkey.example',
      'one._domainkey.below.silent.example',
      'one._domainkey.unsilent.example',
    ])
      expect([name, silent.has(name)]).toEqual([name, false])
  })

  test('nor are a domain’s where those that did not answer are of a service that it left', () => {
    for (const at of [1, 2, 3, 4, 5]) silent.add(`key${at}.gone._domainkey.example.com`)
    expect(silent.has('other.gone._domainkey.example.com')).toBe(true)
    expect(silent.has('one._domainkey.example.com')).toBe(false)
  })

  test('and are where the silence was over long', () => {
    addKeys(4)
    now = 60_001
    addKeys(1, 'silent.example', 4)
    expect(silent.has('other._domainkey.silent.example')).toBe(false)
  })
})

test('of many, the oldest are forgotten', () => {
  addKeys(5)
  for (let at = 0; at < 1000; at++) silent.add(`_dmarc.domain${at}.example`)
  expect(silent.has('other._domainkey.silent.example')).toBe(false)
  expect(silent.has('_dmarc.domain0.example')).toBe(true)
  silent.add('_dmarc.domain1000.example')
  expect(silent.has('_dmarc.domain0.example')).toBe(false)
})
