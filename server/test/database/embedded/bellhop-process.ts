import { startEmbedded } from '../../../src/database/embedded/embedded.ts'

/**
 * A stand-in for `bellhop start`, as a process of its own that can be killed: it runs the database of the
 * folder given, prints "ready PID" or why not, and stops at SIGTERM.
 */
const [, , dataDir = '', command = 'bellhop start'] = process.argv
const say = (line: string) => process.stdout.write(`${line}\n`)
try {
  const server = await startEmbedded({
    dataDir,
    command,
    log: { info: say, warn: say },
  })
  say(`ready ${server.pid()}`)
  process.on('SIGTERM', async () => {
    await server.stop()
    say('stopped')
    process.exit(0)
  })
} catch (error) {
  say(error instanceof Error ? `${error.name}: ${error.message}` : 'failed')
  process.exitCode = 1
}
