import { type DestinationStream, destination, type Logger, pino } from 'pino'

/**
 * The fields that a log line may have: ids, codes, counts and durations. Never a subject, a body, an address,
 * a name, a token, a query string or a user agent.
 */
export type LogFields = {
  req_id?: string
  method?: string
  route?: string
  status?: number
  ms?: number
  code?: string
  brand_id?: string
  issuer?: string
  /** What an issuer was asked for: discovery, keys or token. */
  about?: string
  ticket_id?: string
  message_id?: string
  delivery_id?: string
  inbound_id?: string
  attempt?: number
  connector?: string
  outcome?: string
  state?: string | null
  count?: number
  bytes?: number
  url?: string
  pid?: number
  version?: string
}

/** Bytes that wait for a reader of standard output who is slow; what comes beyond is dropped. */
const BUFFER_LIMIT = 16 * 1024 * 1024

/** A log line is an event's name and fields of the list above. */
export type Log = {
  debug(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
  /** Something that should not have happened, with what may be said of its cause. */
  fault(event: string, cause: unknown, fields?: LogFields): void
}

/**
 * @param level of pino, or `silent`
 * @param pretty for a person's eyes on a terminal, else JSON
 */
export function createLog(options: { level: string; pretty: boolean; stream?: DestinationStream }): Log {
  const base = { level: options.level, base: null, messageKey: 'event' }
  if (options.stream) return wrap(pino(base, options.stream))
  // Not waited for: a write for each line would cost a request a tenth of its time. What a clean end still
  // holds is flushed.
  if (!options.pretty) return wrap(pino(base, destination({ dest: 1, sync: false, maxLength: BUFFER_LIMIT })))
  const transport = {
    target: 'pino-pretty',
    options: { messageKey: 'event', translateTime: 'HH:MM:ss', ignore: 'pid,hostname' },
  }
  return wrap(pino({ ...base, transport }))
}

function wrap(logger: Logger): Log {
  return {
    debug: (event, fields) => logger.debug(fields ?? {}, event),
    info: (event, fields) => logger.info(fields ?? {}, event),
    warn: (event, fields) => logger.warn(fields ?? {}, event),
    error: (event, fields) => logger.error(fields ?? {}, event),
    fault: (event, cause, fields) => logger.error({ ...fields, cause: describeCause(cause) }, event),
  }
}

/**
 * What may be said of an error: its name, its code and where it was thrown. Its message may quote what a
 * customer wrote (a database's does), so it stays out.
 */
export function describeCause(error: unknown): object {
  if (!(error instanceof Error)) return { type: typeof error }
  const { code, severity, routine, table_name, constraint_name } = error as Error & Record<string, unknown>
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  return {
    type: error.name,
    ...pickStrings({ code, severity, routine, table: table_name, constraint: constraint_name }),
    at: frames.slice(0, 6).map((line) => line.trim()),
    ...(error.cause === undefined ? {} : { cause: describeCause(error.cause) }),
  }
}

function pickStrings(fields: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}
