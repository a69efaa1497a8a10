import { expect, test } from 'vitest'
import { parseDuration } from '../../src/config/duration.ts'
import { isCallableUrl, isIssuerUrl, isLoopbackHost, isOrigin } from '../../src/config/web-address.ts'

test('https may go anywhere, http only to this machine', () => {
  const yes = ['https://a.example', 'https://a.example:8443/x?y=z', 'http://127.0.0.1:1', 'http://[::1]/x']
  expect(yes.filter((url) => !isCallableUrl(url))).toEqual([])
  const no = [
    'http://a.example',
    'http://127.0.0.1.a.example',
    'http://localhost.a.example',
    'http://127.0.0.1@a.example',
    'https://u:p@a.example',
    'https://@a.example',
    'https://a.example#x',
    'https://a.example\\x',
    'https://a.example\n',
    ' https://a.example',
    'https://a.example/ü',
    'https://',
    'ftp://a.example',
    '//a.example',
    '',
  ]
  expect(no.filter(isCallableUrl)).toEqual([])
})

test('an issuer is an address without a query; its trailing slash counts', () => {
  expect(['https://a.example', 'https://a.example/', 'https://a.example/t/1'].every(isIssuerUrl)).toBe(true)
  expect(['https://a.example?x', 'https://a.example/?', 'a.example'].filter(isIssuerUrl)).toEqual([])
})

test('an origin is what a browser sends, to the letter', () => {
  expect(['https://a.example', 'https://a.example:8443', 'http://localhost:5173'].every(isOrigin)).toBe(true)
  const no = [
    'https://a.example/',
    'https://A.example',
    'https://a.example:443',
    'https://*.a.example',
    'http://a.example',
    '*',
    'null',
  ]
  expect(no.filter(isOrigin)).toEqual([])
})

test('loopback is told by address and not by how a name begins', () => {
  expect(['localhost', 'LOCALHOST', '127.0.0.1', '127.9.9.9', '::1', '[::1]'].every(isLoopbackHost)).toBe(
    true,
  )
  const no = [
    '0.0.0.0',
    '::',
    '10.0.0.1',
    '127.0.0.1.a.example',
    '127.1',
    'localhost.example',
    '::ffff:127.0.0.1',
  ]
  expect(no.filter(isLoopbackHost)).toEqual([])
})

test('a duration is a whole number and its unit', () => {
  expect(['0s', '500ms', '2s', '30m', '1h', '1d'].map(parseDuration)).toEqual([
    0, 500, 2000, 1_800_000, 3_600_000, 86_400_000,
  ])
  for (const text of ['', '2', 's', '1.5s', '-1s', '1 s', '1S', '2s ', '1w', '1toString', '9999999999s']) {
    expect(parseDuration(text)).toBeNull()
  }
})
