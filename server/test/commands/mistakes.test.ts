import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Ended, openShell, type Shell } from './command-line.ts'

let shell: Shell
beforeAll(async () => {
  shell = await openShell()
})
afterAll(() => shell.stop())

const lines = ({ errors }: Ended) => errors.trimEnd().split('\n')

describe('a mistake of the operator is told without a stack trace, and the status is 1', () => {
  test.each(['api', 'worker'])('%s without DATABASE_URL', async (command) => {
    const ended = await shell.run([command])
    expect([ended.status, ended.out]).toEqual([1, ''])
    expect(lines(ended)).toEqual([expect.stringMatching(/^bellhop: .*set DATABASE_URL/)])
  })

  test('every mistake of the environment at once', async () => {
    const environment = {
      PORT: 'eighty',
      HOST: 'a b',
      LOG_LEVEL: 'loud',
      DATABASE_URL: 'mysql://hunter2@x/y',
    }
    for (const command of ['start', 'migrate', 'deliveries', 'token --brand acme --person per_ada']) {
      const ended = await shell.run(command.split(' '), environment)
      expect([ended.status, ended.out]).toEqual([1, ''])
      expect(lines(ended).map((line) => /^bellhop: (\w+): expected/.exec(line)?.[1])).toEqual([
        'PORT',
        'HOST',
        'DATABASE_URL',
        'LOG_LEVEL',
      ])
      expect(ended.errors).not.toContain('hunter2')
    }
  })

  test('every mistake of the brands file at once, each by its path in the file', async () => {
    const brands = await shell.writeBrands(`issuers:
  - issuer: https://login.acme.example
    audience: bellhop
    colour: blue
brands:
  - id: acme
    name: Acme
    issuers: [https://login.acme.example]
    wait: soon
    desk:
      connector: pigeon
`)
    const ended = await shell.run(['start'], { BRANDS_FILE: brands })
    expect([ended.status, ended.out]).toEqual([1, ''])
    for (const place of ['colour', 'wait', 'desk']) expect(ended.errors).toContain(place)
    expect(lines(ended).every((line) => line.startsWith('bellhop: '))).toBe(true)
    expect(ended.errors).not.toMatch(/^\s+at /m)
  })

  test('the demo on an address that others can reach', async () => {
    const ended = await shell.run(['start'], { HOST: '0.0.0.0' })
    expect([ended.status, ended.out]).toEqual([1, ''])
    expect(lines(ended)).toEqual([expect.stringMatching(/^bellhop: HOST: expected a loopback address/)])
  })

  test('a database that does not answer', async () => {
    const url = 'postgresql://bellhop:hunter2@127.0.0.1:1/bellhop'
    for (const command of ['start', 'migrate', 'deliveries']) {
      const ended = await shell.run([command], { DATABASE_URL: url, LOG_LEVEL: 'error' })
      expect([ended.status, ended.out]).toEqual([1, ''])
      expect(lines(ended)).toEqual([
        expect.stringMatching(/^bellhop: The database does not answer \(\w+\): check .* DATABASE_URL/),
      ])
    }
  })
})

describe('a command line that is wrong is told with the way to the help, and the status is 2', () => {
  test.each([
    ['an unknown command', ['begin'], 'begin', '(see bellhop --help)'],
    ['an unknown option', ['start', '--fast'], '--fast', '(see bellhop start --help)'],
    [
      'an option of a command that is missing',
      ['token', '--brand', 'acme'],
      '--person',
      '(see bellhop token --help)',
    ],
    ['an argument that is missing', ['deliveries', 'show'], 'id', '(see bellhop deliveries show --help)'],
    ['an argument too many', ['migrate', 'now'], 'arguments', '(see bellhop migrate --help)'],
    ['no command', [], 'Usage: bellhop', 'help [command]'],
  ])('%s', async (_what, args, named, way) => {
    const ended = await shell.run(args)
    expect([ended.status, ended.out]).toEqual([2, ''])
    expect(ended.errors).toContain(named)
    expect(ended.errors).toContain(way)
    expect(ended.errors).not.toMatch(/^\s+at /m)
  })
})

test('help and version are answers, not mistakes', async () => {
  const help = await shell.run(['deliveries', '--help'])
  expect([help.status, help.errors]).toEqual([0, ''])
  for (const command of ['list', 'show', 'retry']) expect(help.out).toContain(command)
  const version = await shell.run(['--version'])
  expect([version.status, version.out]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/)])
})
