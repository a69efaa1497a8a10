import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { OperatorError } from '../errors.ts'

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
}

/** Bytes: of the decoded attachment, of all decoded text together in UTF-8, and of a request on the wire. */
export type Limits = { attachmentBytes: number; textBytes: number; requestBytes: number }

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

function logLevel(text: string): LogLevel | null {
  return LOG_LEVELS.find((level) => level === text) ?? null
}
