import { BackupFolder } from '../backup/backup-folder.ts'
import type { Backups } from '../config.ts'
import { toTime } from './table.ts'

/** Whether scheduled backups can be made, and are. @param now epoch milliseconds */
export async function checkBackups(
  { folder, every }: Backups,
  now: number,
): Promise<{ what: string; ok: boolean; detail: string }> {
  const what = 'backups'
  const kept = new BackupFolder(folder)
  try {
    await kept.make()
    await kept.probe()
    const { any, complete } = await kept.newest(now)
    if (any === null) {
      const detail = `${folder} has none yet: a worker makes one within a minute of its start, or logs why not`
      return { what, ok: false, detail }
    }
    if (complete !== any) {
      const last =
        complete === null
          ? 'and none before it is complete'
          : `the last complete one is of ${toTime(complete.at)} UTC`
      const detail = `the newest in ${folder} is without some attachments, ${last}: doctor --deep names them`
      return { what, ok: false, detail }
    }
    const age = now - any.at.getTime()
    const detail = `the newest in ${folder} is ${roughly(age)} old, of ${toTime(any.at)} UTC`
    if (age <= 2 * every) return { what, ok: true, detail }
    return { what, ok: false, detail: `${detail}: is a worker running? its log says backup_failed and why` }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${error.code})` : ''
    const detail = `${folder} cannot be written${code}: make room there, or let this user write`
    return { what, ok: false, detail }
  }
}

function roughly(ms: number): string {
  const hours = ms / 3_600_000
  if (hours >= 48) return `${Math.floor(hours / 24)} days`
  return hours >= 1 ? `${Math.floor(hours)} h` : `${Math.floor(hours * 60)} min`
}
