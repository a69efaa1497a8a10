import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Release } from '../releases.ts'

const ROOT = join(import.meta.dirname, '../../..')
const run = promisify(execFile)

/** Why a release cannot be laid out here, or null where it can. */
export async function whyNotAtHand({ version, commit }: Release): Promise<string | null> {
  try {
    await run('git', ['cat-file', '-e', `${commit}^{commit}`], { cwd: ROOT })
    return null
  } catch {
    return `this copy of the source has no history that holds ${version}`
  }
}

/** How many migrations a release has, which is at hand. */
export async function countMigrations({ commit }: Release): Promise<number> {
  const { stdout } = await run('git', ['ls-tree', '--name-only', commit, 'server/migrations/'], { cwd: ROOT })
  return stdout.split('\n').filter((path) => path.endsWith('.sql')).length
}

/**
 * Lays out the program as it was released, with the packages that it was released with: those that are
 * installed here, where they are the same, else its own.
 * @param folder which is made
 */
export async function layOutRelease({ commit }: Release, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  const archive = join(folder, 'release.tar')
  const parts = ['contract', 'server', 'package.json', 'package-lock.json']
  await run('git', ['archive', '--format=tar', `--output=${archive}`, commit, '--', ...parts], { cwd: ROOT })
  await run('tar', ['-xf', archive], { cwd: folder })
  if (await hasItsPackages(folder)) await linkPackages(folder)
  else await run('npm', ['ci', '--omit=dev', '--no-audit', '--no-fund'], { cwd: folder })
}

type LockedPackage = { version?: string; link?: boolean; dev?: boolean; optional?: boolean }

/** Whether each package that the release needs is installed here in the same version. */
async function hasItsPackages(folder: string): Promise<boolean> {
  const wanted = await readLock(join(folder, 'package-lock.json'))
  const installed = await readLock(join(ROOT, 'node_modules/.package-lock.json'))
  return Object.entries(wanted).every(([path, { version, link, dev, optional }]) => {
    if (!path.startsWith('node_modules/') || link === true || dev === true) return true
    const here = installed[path]
    return here === undefined ? optional === true : here.version === version
  })
}

async function readLock(path: string): Promise<Record<string, LockedPackage>> {
  return JSON.parse(await readFile(path, 'utf8')).packages
}

/** Its own workspaces under their names, and everything else as it is installed here. */
async function linkPackages(folder: string): Promise<void> {
  const packages = join(folder, 'node_modules')
  await mkdir(join(packages, '@bellhop'), { recursive: true })
  for (const name of ['contract', 'server']) {
    await symlink(join(folder, name), join(packages, '@bellhop', name))
  }
  for (const name of await readdir(join(ROOT, 'node_modules'))) {
    if (name.startsWith('.') || name === '@bellhop') continue
    await symlink(join(ROOT, 'node_modules', name), join(packages, name))
  }
}
