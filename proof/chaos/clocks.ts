import { readFile, writeFile } from 'node:fs/promises'
import type { Database } from '../../server/src/database/pool.ts'
import { signalTo, until } from './processes.ts'

/** Milliseconds of a day. */
export const DAY = 86_400_000

/** In the schema `public`, before PostgreSQL's own `now()` for whoever looks there first. */
const CLOCK = `
create table database_clock (ahead interval not null);
insert into database_clock values ('0');
create function public.now() returns timestamptz language sql stable
  as 'select pg_catalog.now() + (select ahead from public.database_clock)'`

/** Has a DATABASE_URL's sessions look for `now()` where the row puts its own. */
export function withOwnClock(url: string): string {
  return `${url}?options=${encodeURIComponent('-c search_path=public,pg_catalog')}`
}

/**
 * The two clocks that Bellhop goes by: its process's time of day, and the database's `now()`. Every statement of
 * Bellhop's and every default of its tables sees the second one jump.
 */
export class Clocks {
  readonly file: string
  readonly #database: Database
  process = 0
  database = 0

  private constructor(file: string, database: Database) {
    this.file = file
    this.#database = database
  }

  /** Before Bellhop has made its tables. */
  static async install(folder: string, database: Database): Promise<Clocks> {
    const clocks = new Clocks(`${folder}/clock`, database)
    await database.sql.unsafe(CLOCK)
    await writeFile(clocks.file, '0')
    return clocks
  }

  /** @param ms by which it is ahead of the true time from now on */
  async setProcess(pid: number, ms: number): Promise<void> {
    await writeFile(this.file, String(ms))
    signalTo(pid, 'SIGUSR2')
    const seen = () =>
      readFile(`${this.file}.seen`, 'utf8').then(
        (text) => Number(text) === ms,
        () => false,
      )
    await until('the clock has jumped', seen, { every: 5 })
    this.process = ms
  }

  async setDatabase(ms: number): Promise<void> {
    await this.#database.sql`update database_clock set ahead = make_interval(secs => ${ms / 1000})`
    this.database = ms
  }
}
