import type { Executor, Sql } from '../database/pool.ts'

/** A piece of SQL that goes into a statement. */
export type Fragment = ReturnType<Sql>

/** What holds in every database of Bellhop's, whatever befell its processes. */
export type Invariant = {
  /** The sentence that holds. */
  claim: string
  /** A query of one text column: the ids of what breaks it. */
  broken(sql: Executor): Fragment
}

/** How many of those that break an invariant are named. */
const EXAMPLES = 3

export type Finding = {
  claim: string
  /** How many break it. */
  broken: number
  /** The ids of some of them, and nothing that anybody wrote. */
  examples: string[]
}

/** Looks for what breaks an invariant. */
export async function examine(sql: Executor, { claim, broken }: Invariant): Promise<Finding> {
  const rows = await sql<{ id: string; broken: number }[]>`
    WITH broken(id) AS MATERIALIZED (${broken(sql)})
    SELECT id, (SELECT count(*) FROM broken)::float8 AS broken FROM broken ORDER BY id LIMIT ${EXAMPLES}`
  return { claim, broken: rows[0]?.broken ?? 0, examples: rows.map(({ id }) => id) }
}
