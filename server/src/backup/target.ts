import { type Migration, schemaVersion } from '../database/migrations.ts'
import type { Executor } from '../database/pool.ts'
import { OperatorError } from '../errors.ts'
import { quoted } from './copy-text.ts'
import { ownObjects, ownTables } from './own-objects.ts'
import { listTables } from './schema.store.ts'

/**
 * Tables into which the migrations themselves put a row, or a worker that found nothing to do: how far a mailbox was
 * read says nothing where no mail was kept.
 */
const SEEDED = ['installation', 'imap_cursors']

/**
 * Looks whether a restore may have this database, and takes away the empty tables that a start of Bellhop has
 * left in it, so that those of the archive's version can be made. Everything is undone with the transaction.
 * @returns the id of the installation that it was; null where it held nothing of Bellhop's
 * @throws OperatorError where it has rows or is in use
 */
export async function clearTarget(transaction: Executor, migrations: Migration[]): Promise<string | null> {
  await refuseInUse(transaction)
  const tables = await listTables(transaction, await ownTables(migrations))
  // Tables of these names that are another program's stay, and the migrations say that they are in the way.
  if (tables.length === 0 || (await schemaVersion(transaction)) === 0) return null
  const names = tables.map(quoted).join(', ')
  await transaction.unsafe(`LOCK TABLE ${names} IN ACCESS EXCLUSIVE MODE`)
  for (const table of tables.filter((name) => !SEEDED.includes(name))) {
    const [row] = await transaction.unsafe(`SELECT FROM ${quoted(table)} LIMIT 1`)
    if (row !== undefined) {
      throw new OperatorError(
        'The database is not empty: restore into one without tickets, or another DATA_DIR',
      )
    }
  }
  const [row] = await transaction<{ id: string }[]>`SELECT id::text FROM installation`
  await dropOwn(transaction, names, migrations)
  return row?.id ?? null
}

async function dropOwn(transaction: Executor, tables: string, migrations: Migration[]): Promise<void> {
  try {
    await transaction.unsafe(`DROP TABLE ${tables}, schema_migrations`)
    for (const { kind, name } of await ownObjects(migrations)) {
      if (kind !== 'table') await transaction.unsafe(`DROP ${kind} IF EXISTS ${quoted(name)}`)
    }
  } catch (error) {
    if (!isNeeded(error)) throw error
    throw new OperatorError(
      'The database has a view, or something else of its own, that depends on Bellhop’s empty tables: drop it, or ' +
        'restore into an empty database',
      { cause: error },
    )
  }
}

/** SQLSTATE 2BP01, dependent_objects_still_exist. */
function isNeeded(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '2BP01'
}

/** A server that is up would take tickets before the rows are there, and afterwards not know its installation. */
async function refuseInUse(transaction: Executor): Promise<void> {
  const [row] = await transaction<{ count: number }[]>`
    SELECT count(*)::int AS count FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND application_name ~ '^bellhop (start|api|worker)( |$)'`
  if (row?.count !== 0) throw new OperatorError('The database is in use by a running Bellhop: stop it first')
}
