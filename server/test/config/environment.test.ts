import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { readEnvironment } from '../../src/config.ts'
import { linesOf } from './brands-folder.ts'

const read = async (env: NodeJS.ProcessEnv) => readEnvironment(env)

const DEFAULTS = {
  port: 8080,
  host: '127.0.0.1',
  workerPort: null,
  databaseUrl: null,
  databasePool: 16,
  dataDir: resolve('data'),
  brandsFile: null,
  logLevel: 'info',
  limits: { attachmentBytes: 10_485_760, textBytes: 2_097_152, requestBytes: 27_262_976 },
}

test('nothing needs to be set, and an empty variable counts as unset', () => {
  expect(readEnvironment({})).toStrictEqual(DEFAULTS)
  const names = 'PORT HOST WORKER_PORT DATABASE_URL DATABASE_POOL DATA_DIR BRANDS_FILE LOG_LEVEL'
  const empty = Object.fromEntries(names.split(' ').map((name) => [name, '']))
  expect(
    readEnvironment({ ...empty, MAX_ATTACHMENT_BYTES: '', MAX_TEXT_BYTES: '', MAX_REQUEST_BYTES: '' }),
  ).toStrictEqual(DEFAULTS)
})

test('everything can be set', () => {
  expect(
    readEnvironment({
      PORT: '0',
      HOST: '::',
      WORKER_PORT: '9090',
      DATABASE_URL: 'postgresql://u:p@a:5432,b:5432/bellhop',
      DATABASE_POOL: '4',
      DATA_DIR: '/var/lib/bellhop',
      BRANDS_FILE: 'etc/brands.yaml',
      LOG_LEVEL: 'silent',
      MAX_ATTACHMENT_BYTES: '1',
      MAX_TEXT_BYTES: '2',
      MAX_REQUEST_BYTES: '3',
    }),
  ).toStrictEqual({
    port: 0,
    host: '::',
    workerPort: 9090,
    databaseUrl: 'postgresql://u:p@a:5432,b:5432/bellhop',
    databasePool: 4,
    dataDir: '/var/lib/bellhop',
    brandsFile: 'etc/brands.yaml',
    logLevel: 'silent',
    limits: { attachmentBytes: 1, textBytes: 2, requestBytes: 3 },
  })
})

test('all mistakes are told at once, without the values', async () => {
  const env = {
    PORT: '65536',
    HOST: '127.0.0.1:80',
    WORKER_PORT: 'canary',
    DATABASE_URL: 'mysql://root:canary@db/bellhop',
    DATABASE_POOL: '0',
    LOG_LEVEL: 'canary',
    MAX_ATTACHMENT_BYTES: '10MiB',
    MAX_TEXT_BYTES: '-1',
    MAX_REQUEST_BYTES: '1e3',
  }
  const lines = await linesOf(read(env))
  expect(lines).toEqual([
    'PORT: expected a whole number from 0 to 65535',
    'HOST: expected a host name or an IP address, without a port or brackets',
    'WORKER_PORT: expected a whole number from 0 to 65535',
    'DATABASE_URL: expected postgresql://… or postgres://…',
    'DATABASE_POOL: expected a whole number from 1 to 1000',
    'LOG_LEVEL: expected one of fatal, error, warn, info, debug, trace, silent',
    'MAX_ATTACHMENT_BYTES: expected a whole number from 1 to 268435456',
    'MAX_TEXT_BYTES: expected a whole number from 1 to 268435456',
    'MAX_REQUEST_BYTES: expected a whole number from 1 to 268435456',
  ])
})

test.each([
  ['PORT', '80 '],
  ['PORT', '0x50'],
  ['PORT', '1.5'],
  ['HOST', '[::1]'],
  ['HOST', 'a b'],
  ['HOST', 'http://localhost'],
  ['DATABASE_URL', 'localhost:5432'],
  ['LOG_LEVEL', 'INFO'],
])('%s=%s is refused', async (name, value) => {
  const lines = await linesOf(read({ [name]: value }))
  expect(lines.length).toBe(1)
  expect(lines[0]).toMatch(new RegExp(`^${name}: expected `))
})
