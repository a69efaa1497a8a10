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
  closeSolvedAfter: 1_209_600_000,
  inboundKeep: 2_592_000_000,
  eventStreams: 20_000,
  signingSecret: null,
  backups: null,
}

test('nothing needs to be set, and an empty variable counts as unset', () => {
  expect(readEnvironment({})).toStrictEqual(DEFAULTS)
  const names =
    'PORT HOST WORKER_PORT DATABASE_URL DATABASE_POOL DATA_DIR BRANDS_FILE LOG_LEVEL BACKUP_DIR BACKUP_EVERY BACKUP_KEEP EVENT_STREAMS CLOSE_SOLVED_AFTER INBOUND_KEEP SIGNING_SECRET'
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
      EVENT_STREAMS: '100',
      CLOSE_SOLVED_AFTER: '12h',
      INBOUND_KEEP: '7d',
      SIGNING_SECRET: Buffer.alloc(32, 7).toString('base64'),
      BACKUP_DIR: 'copies',
      BACKUP_EVERY: '6h',
      BACKUP_KEEP: '30',
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
    eventStreams: 100,
    closeSolvedAfter: 43_200_000,
    inboundKeep: 604_800_000,
    signingSecret: Buffer.alloc(32, 7),
    backups: { folder: resolve('copies'), every: 21_600_000, keep: 30 },
  })
})

test('with a folder alone, a backup is made each day and seven are kept', () => {
  expect(readEnvironment({ BACKUP_DIR: '/backup' }).backups).toEqual({
    folder: '/backup',
    every: 86_400_000,
    keep: 7,
  })
})

test('a secret may be written in hexadecimal', () => {
  expect(readEnvironment({ SIGNING_SECRET: '0F'.repeat(32) }).signingSecret).toEqual(Buffer.alloc(32, 15))
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
    EVENT_STREAMS: '0',
    CLOSE_SOLVED_AFTER: 'canary',
    INBOUND_KEEP: 'canary',
    SIGNING_SECRET: 'canary',
    BACKUP_EVERY: 'canary',
    BACKUP_KEEP: '0',
  }
  const lines = await linesOf(read(env))
  expect(lines).toEqual([
    'BACKUP_EVERY: expected a duration like 6h or 1d, from 1m to 366d',
    'BACKUP_KEEP: expected a whole number from 1 to 10000',
    'PORT: expected a whole number from 0 to 65535',
    'HOST: expected a host name or an IP address, without a port or brackets',
    'WORKER_PORT: expected a whole number from 0 to 65535',
    'DATABASE_URL: expected postgresql://… or postgres://…',
    'DATABASE_POOL: expected a whole number from 1 to 1000',
    'LOG_LEVEL: expected one of fatal, error, warn, info, debug, trace, silent',
    'MAX_ATTACHMENT_BYTES: expected a whole number from 1 to 268435456',
    'MAX_TEXT_BYTES: expected a whole number from 1 to 268435456',
    'MAX_REQUEST_BYTES: expected a whole number from 1 to 268435456',
    'EVENT_STREAMS: expected a whole number from 1 to 1000000',
    'CLOSE_SOLVED_AFTER: expected a duration like 12h or 14d, from 1m to 3660d',
    'INBOUND_KEEP: expected a duration like 12h or 30d, from 1m to 3660d',
    'SIGNING_SECRET: expected at least 32 bytes, in hexadecimal or in base64 with padding',
  ])
})

test.each([
  ['BACKUP_EVERY', '30s'],
  ['BACKUP_EVERY', '367d'],
  ['CLOSE_SOLVED_AFTER', '30s'],
  ['CLOSE_SOLVED_AFTER', '3661d'],
  ['INBOUND_KEEP', '59s'],
  ['SIGNING_SECRET', 'f'.repeat(62)],
  ['SIGNING_SECRET', Buffer.alloc(31, 7).toString('base64')],
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
