import { readFile, stat } from 'node:fs/promises'
import { OperatorError } from '../../errors.ts'

/** Whom PostgreSQL runs as; null: as Bellhop itself. */
export type ServerUser = { uid: number; gid: number } | null

/** Users to run as in root's stead, the first that the system has. `initdb` wants one with a name. */
const CANDIDATES = ['bellhop', 'postgres', 'nobody']

/**
 * PostgreSQL refuses to run as root. An existing cluster runs as its owner, a new one as an unprivileged user.
 * @throws OperatorError where root has nobody to run it as
 */
export async function serverUser(cluster: string): Promise<ServerUser> {
  if (process.getuid?.() !== 0) return null
  const owner = await stat(cluster).catch(() => null)
  if (owner !== null && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid }
  if (process.platform === 'linux') {
    const users = await readFile('/etc/passwd', 'utf8').catch(() => '')
    for (const name of CANDIDATES) {
      const [, uid, gid] = new RegExp(`^${name}:[^:]*:(\\d+):(\\d+):`, 'm').exec(users) ?? []
      if (uid !== undefined && uid !== '0') return { uid: Number(uid), gid: Number(gid) }
    }
  }
  throw new OperatorError(
    'The embedded database cannot run as root here: use another user, or set DATABASE_URL',
  )
}
