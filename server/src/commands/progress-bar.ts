import type { Progress } from '../backup/progress.ts'

const WIDTH = 30
const EVERY_MS = 100

const WORDS = { rows: 'rows', attachments: 'attachments', archive: 'archive' }

/** One line that is drawn again and again; on anything but a terminal, nothing. */
export function createProgressBar(terminal: NodeJS.WriteStream): Progress & { clear(): void } {
  let what: keyof typeof WORDS = 'rows'
  let of = 0
  let done = 0
  let drawn = 0

  function draw(): void {
    drawn = performance.now()
    // The expected count of rows is the planner's guess.
    const share = of > 0 ? Math.min(done / of, 1) : 0
    const bar = '#'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH)
    const read = (count: number) => (what === 'rows' ? count.toLocaleString('en') : size(count))
    const expected = of > 0 ? ` of ${what === 'rows' ? 'about ' : ''}${read(of)}` : ''
    const figures = read(done) + expected
    terminal.write(`\r\x1b[K${WORDS[what]} [${bar}] ${figures}`)
  }

  return {
    begin(next, expected) {
      if (!terminal.isTTY) return
      what = next
      of = expected
      done = 0
      draw()
    },
    add(count) {
      done += count
      if (terminal.isTTY && performance.now() - drawn > EVERY_MS) draw()
    },
    clear() {
      if (terminal.isTTY) terminal.write('\r\x1b[K')
    },
  }
}

/** Bytes as people read them. */
export function size(bytes: number): string {
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`
}
