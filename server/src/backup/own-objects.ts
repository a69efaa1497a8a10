import { readFile } from 'node:fs/promises'
import type { Migration } from '../database/migrations.ts'

export type OwnObject = { kind: string; name: string }

/**
 * What Bellhop's migrations make, by kind and name, as they say it themselves: the schema may hold what is not
 * ours, which is neither copied nor touched.
 */
export async function ownObjects(migrations: Migration[]): Promise<OwnObject[]> {
  const made: OwnObject[] = []
  for (const { path } of migrations) {
    const text = await readFile(path, 'utf8')
    for (const [, kind, name] of text.matchAll(CREATES)) {
      if (kind !== undefined && name !== undefined) made.push({ kind: kind.toLowerCase(), name })
    }
  }
  return made
}

const CREATES =
  /^\s*create\s+(?:or\s+replace\s+)?(table|view|function|sequence|type|domain)\s+(?:if\s+not\s+exists\s+)?([a-z_][a-z0-9_]*)/gim

/** The tables alone, without `schema_migrations`: a restore migrates, and so writes that anew. */
export async function ownTables(migrations: Migration[]): Promise<string[]> {
  const made = await ownObjects(migrations)
  return made.filter(({ kind }) => kind === 'table').map(({ name }) => name)
}
