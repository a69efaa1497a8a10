import { Counter, Gauge, type Registry } from 'prom-client'

export type BackupMeasure = {
  outcome: 'made' | 'incomplete' | 'failed'
  seconds: number
  bytes: number | null
}

/** What a process with a schedule of backups says of it. */
export class BackupMetrics {
  readonly #backups: Counter<'outcome'>
  readonly #seconds: Gauge
  readonly #bytes: Gauge

  /** @param age seconds since the newest complete backup was begun; infinite: there is none; null: not known yet */
  constructor(registry: Registry, age: () => number | null) {
    const registers = [registry]
    this.#backups = new Counter({
      name: 'bellhop_backups_total',
      help: 'Scheduled backups by outcome: made, incomplete (without attachments that are missing or damaged), failed.',
      labelNames: ['outcome'],
      registers,
    })
    for (const outcome of ['made', 'incomplete', 'failed']) this.#backups.inc({ outcome }, 0)
    this.#seconds = new Gauge({
      name: 'bellhop_backup_duration_seconds',
      help: 'How long the last scheduled backup of this process took; absent before one.',
      registers,
    })
    this.#bytes = new Gauge({
      name: 'bellhop_backup_bytes',
      help: 'Size of the last scheduled backup of this process; absent before one.',
      registers,
    })
    for (const gauge of [this.#seconds, this.#bytes]) gauge.remove()
    new Gauge({
      name: 'bellhop_backup_age_seconds',
      // Infinite, so that one comparison finds too old and not there at all.
      help: 'Age of the newest complete scheduled backup, by its name; +Inf where there is none.',
      registers,
      collect() {
        const seconds = age()
        if (seconds === null) this.remove()
        else this.set(seconds)
      },
    })
  }

  ended({ outcome, seconds, bytes }: BackupMeasure): void {
    this.#backups.inc({ outcome })
    if (bytes === null) return
    this.#seconds.set(seconds)
    this.#bytes.set(bytes)
  }
}
