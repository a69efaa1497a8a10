import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { OperatorError } from '../errors.ts'
import { parseDuration } from './duration.ts'
import { secretBytes } from './secret-text.ts'

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export type Environment = {
  /** 0: any free one. */
  port: number
  host: string
  /** Where `bellhop worker` answers to those who watch it; null: nowhere. */
  workerPort: number | null
  /** Null: the embedded database. */
  databaseUrl: string | null
  /** Connections of one process, at most. */
  databasePool: number
  /** An absolute path. */
  dataDir: string
  /** As the operator gave it; null: the demo brands. */
  brandsFile: string | null
  logLevel: LogLevel
  limits: Limits
  /** Event streams that one process has open at once, at most. */
  eventStreams: number
  /** Milliseconds after which a solved ticket is closed. */
  closeSolvedAfter: number
  /** Milliseconds that the bytes of a settled mail are kept. */
  inboundKeep: number
  /** What cursors and event ids are signed with; null: a secret that is kept in DATA_DIR. */
  signingSecret: Buffer | null
  /** Null: no backups are made by themselves. */
  backups: Backups | null
}

/** Bytes: of the decoded attachment, of all decoded text together in UTF-8, and of a request on the wire. */
export type Limits = { attachmentBytes: number; textBytes: number; requestBytes: number }

/** An absolute path; milliseconds from one backup to the next; how many are kept. */
export type Backups = { folder: string; every: number; keep: number }

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
const MIB = 1024 * 1024
/** A request is parsed as one string, and the engine's strings end at 512 MiB. */
const BYTES_LIMIT = 256 * MIB

/**
 * Reads the environment; an empty variable counts as unset.
 * @throws OperatorError with one line for each mistake, which names the variable and repeats no value
 */
export function readEnvironment(env: NodeJS.ProcessEnv): Environment {
  const mistakes: string[] = []

  function read<T>(name: string, fallback: T, parse: (text: string) => T | null, expected: string): T {
    const text = env[name]
    if (text === undefined || text === '') return fallback
    const value = parse(text)
    if (value === null) mistakes.push(`${name}: expected ${expected}`)
    return value ?? fallback
  }

  function readNumber(name: string, fallback: number, least: number, most: number): number {
    const parse = (text: string) => wholeNumber(text, least, most)
    return read(name, fallback, parse, `a whole number from ${least} to ${most}`)
  }

  const backups: Backups = {
    folder: resolve(env.BACKUP_DIR || '.'),
    every: read('BACKUP_EVERY', DAY, backupInterval, 'a duration like 6h or 1d, from 1m to 366d'),
    keep: readNumber('BACKUP_KEEP', 7, 1, 10_000),
  }
  const environment: Environment = {
    port: readNumber('PORT', 8080, 0, 65535),
    host: read('HOST', '127.0.0.1', hostName, 'a host name or an IP address, without a port or brackets'),
    workerPort: read<number | null>(
      'WORKER_PORT',
      null,
      (text) => wholeNumber(text, 0, 65535),
      'a whole number from 0 to 65535',
    ),
    databaseUrl: read<string | null>('DATABASE_URL', null, databaseUrl, 'postgresql://… or postgres://…'),
    databasePool: readNumber('DATABASE_POOL', 16, 1, 1000),
    dataDir: resolve(env.DATA_DIR || 'data'),
    brandsFile: env.BRANDS_FILE || null,
    logLevel: read<LogLevel>('LOG_LEVEL', 'info', logLevel, `one of ${LOG_LEVELS.join(', ')}`),
    limits: {
      attachmentBytes: readNumber('MAX_ATTACHMENT_BYTES', 10 * MIB, 1, BYTES_LIMIT),
      textBytes: readNumber('MAX_TEXT_BYTES', 2 * MIB, 1, BYTES_LIMIT),
      requestBytes: readNumber('MAX_REQUEST_BYTES', 26 * MIB, 1, BYTES_LIMIT),
    },
    eventStreams: readNumber('EVENT_STREAMS', 20_000, 1, 1_000_000),
    closeSolvedAfter: read(
      'CLOSE_SOLVED_AFTER',
      14 * DAY,
      minuteToTenYears,
      'a duration like 12h or 14d, from 1m to 3660d',
    ),
    inboundKeep: read(
      'INBOUND_KEEP',
      30 * DAY,
      minuteToTenYears,
      'a duration like 12h or 30d, from 1m to 3660d',
    ),
    signingSecret: read<Buffer | null>(
      'SIGNING_SECRET',
      null,
      signingSecret,
      'at least 32 bytes, in hexadecimal or in base64 with padding',
    ),
    backups: env.BACKUP_DIR ? backups : null,
  }
  if (mistakes.length > 0) throw new OperatorError(mistakes.join('\n'))
  return environment
}

function wholeNumber(text: string, least: number, most: number): number | null {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : -1
  return value >= least && value <= most ? value : null
}

function hostName(text: string): string | null {
  return isIP(text) !== 0 || /^[A-Za-z0-9_.-]{1,253}$/.test(text) ? text : null
}

function databaseUrl(text: string): string | null {
  return /^postgres(?:ql)?:\/\//.test(text) ? text : null
}

function backupInterval(text: string): number | null {
  const every = parseDuration(text)
  return every !== null && every >= MINUTE && every <= 366 * DAY ? every : null
}

function minuteToTenYears(text: string): number | null {
  const after = parseDuration(text)
  return after !== null && after >= MINUTE && after <= 3660 * DAY ? after : null
}

function signingSecret(text: string): Buffer | null {
  // Sixty-four hexadecimal digits are base64, too, and mean 32 bytes.
  if (/^(?:[0-9a-f]{2}){32,}$/i.test(text)) return Buffer.from(text, 'hex')
  return secretBytes(text, 32)
}

function logLevel(text: string): LogLevel | null {
  return LOG_LEVELS.find((level) => level === text) ?? null
}
