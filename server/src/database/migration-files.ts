import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

export type Migration = {
  version: number
  name: string
  path: string
  sql: string
  /** Whether its statements are each by themselves, and not in one transaction: the file begins by saying so. */
  outside: boolean
}

const OUTSIDE = '-- Outside a transaction'

/**
 * The migrations in a folder, in order.
 * @throws Error where the numbers do not run from 1 without a gap: a mistake of the program's own
 */
export async function readMigrations(folder: string): Promise<Migration[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.sql')).sort()
  const migrations = files.map(async (file, index) => {
    const number = /^(\d{4})-[a-z0-9-]+\.sql$/.exec(file)?.[1]
    if (number === undefined) throw new Error(`${file}: expected a name like 0001-name.sql`)
    if (Number(number) !== index + 1) {
      throw new Error(
        `${file}: expected number ${String(index + 1).padStart(4, '0')}; none may be missing or double`,
      )
    }
    const path = join(folder, file)
    const sql = await readFile(path, 'utf8')
    return {
      version: index + 1,
      name: file.slice(0, -'.sql'.length),
      path,
      sql,
      outside: sql.startsWith(OUTSIDE),
    }
  })
  return await Promise.all(migrations)
}

/** The version of the newest migration; 0 where there is none. */
export function newest(migrations: Migration[]): number {
  return migrations.at(-1)?.version ?? 0
}
