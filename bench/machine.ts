import { cpus, release, totalmem, type } from 'node:os'
import { VERSION } from '../server/src/version.ts'

/** On what the figures were taken. */
export function machine(): string {
  const [cpu] = cpus()
  const memory = (totalmem() / 2 ** 30).toFixed(0)
  return (
    `Bellhop ${VERSION}, Node ${process.version}, ${type()} ${release()}, ${cpus().length} × ${cpu?.model ?? 'unknown'}, ` +
    `${memory} GiB; the load, the database and the server share the machine. ${new Date().toISOString().slice(0, 10)}`
  )
}
