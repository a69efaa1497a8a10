import {
  chmod,
  chown,
  lchown,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { OperatorError } from '../../errors.ts'
import { syncFolder } from '../../sync-folder.ts'
import type { Binaries } from './binaries.ts'
import { run } from './command.ts'
import { type Layout, ROLE } from './layout.ts'
import type { ServerUser } from './server-user.ts'

/** Whoever comes through the socket knows the password; there is no other way in. */
const PG_HBA = 'local all all scram-sha-256\n'

/**
 * Makes the cluster where there is none. It is made beside its place and renamed when it is whole, so that a
 * start that was killed leaves only a draft, which the next one throws away. The caller holds the DATA_DIR.
 * @throws OperatorError where the cluster belongs to another major version of PostgreSQL
 */
export async function ensureCluster(
  layout: Layout,
  binaries: Binaries,
  user: ServerUser,
  password: string,
): Promise<void> {
  const version = await readFile(join(layout.cluster, 'PG_VERSION'), 'utf8').catch(() => null)
  if (version !== null) {
    if (Number(version) === binaries.major) return await takeOver(layout.cluster, user)
    throw new OperatorError(
      `DATA_DIR: the database is of PostgreSQL ${Number(version)} and this program brings ${binaries.major}: ` +
        'bellhop backup with the Bellhop that made it, and bellhop restore into a new DATA_DIR',
    )
  }
  // What is there and is no cluster of ours is not ours to touch.
  if ((await readdir(layout.cluster).catch(() => [])).length > 0) {
    throw new OperatorError(
      `DATA_DIR: expected ${layout.cluster} to be PostgreSQL's folder, or not to be there`,
    )
  }
  await removeDrafts(layout)
  const draft = await mkdtemp(draftPrefix(layout))
  await chmod(draft, 0o700)
  if (user !== null) await chown(draft, user.uid, user.gid)
  await initialise(draft, binaries, user, password)
  await writePgHba(draft)
  await rename(draft, layout.cluster)
  await syncFolder(layout.dataDir)
}

/** Gives a cluster that was restored by a plain copy the owner and the mode that PostgreSQL insists on. */
async function takeOver(cluster: string, user: ServerUser): Promise<void> {
  const { uid, mode } = await stat(cluster)
  if ((mode & 0o077) !== 0) await chmod(cluster, 0o700)
  if (user === null || uid === user.uid) return
  await chown(cluster, user.uid, user.gid)
  for (const name of await readdir(cluster, { recursive: true })) {
    await lchown(join(cluster, name), user.uid, user.gid)
  }
}

function draftPrefix(layout: Layout): string {
  return `${layout.cluster}.new-`
}

async function removeDrafts(layout: Layout): Promise<void> {
  for (const name of await readdir(layout.dataDir)) {
    const path = join(layout.dataDir, name)
    if (path.startsWith(draftPrefix(layout))) await rm(path, { recursive: true, force: true })
  }
}

async function initialise(
  draft: string,
  binaries: Binaries,
  user: ServerUser,
  password: string,
): Promise<void> {
  const secret = await openSecret(`${draft}.secret`, user, password)
  try {
    const { status, output } = await run(
      binaries.initdb,
      [
        `--pgdata=${dataFolder(draft)}`,
        `--username=${ROLE}`,
        '--pwfile=/dev/fd/3',
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        '--data-checksums',
        '--no-instructions',
        // The operator may change these two in postgresql.conf.
        '--set=max_connections=100',
        '--set=shared_buffers=128MB',
      ],
      { user, cwd: draft, password: secret.fd, timeout: 120_000 },
    )
    if (status !== 0) {
      // Nothing of a customer's is there yet, so what it says can be shown.
      const [reason] = /^initdb: error: .*$/m.exec(output) ??
        /FATAL: .*$/m.exec(output) ?? ['no reason given']
      throw new OperatorError(`The embedded database could not be made: ${reason}`)
    }
  } finally {
    await secret.close()
  }
}

/** An open file without a name that the server's user may read: only its content is given away. */
async function openSecret(path: string, user: ServerUser, password: string) {
  await writeFile(path, password, { mode: 0o600, flag: 'wx' })
  try {
    if (user !== null) await chown(path, user.uid, user.gid)
    return await open(path, 'r')
  } finally {
    await rm(path)
  }
}

async function writePgHba(draft: string): Promise<void> {
  // Opened for writing as it is, so that it stays the server's user's.
  const file = await open(join(draft, 'pg_hba.conf'), 'r+')
  try {
    await file.truncate(0)
    await file.write(PG_HBA, 0)
    await file.sync()
  } finally {
    await file.close()
  }
}

/**
 * How PostgreSQL is told its folder, which is also its working directory: on Linux not by its path, which the
 * user that runs it may not be allowed to walk.
 */
export function dataFolder(cluster: string): string {
  return process.platform === 'linux' ? '/proc/self/cwd' : cluster
}
