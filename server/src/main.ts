import { Command, CommanderError } from 'commander'
import { OperatorError } from './errors.ts'
import { VERSION } from './version.ts'

/** The command line. Commands are loaded when they are called, so that `token` need not start what `start` needs. */
const program = new Command('bellhop')
  .description('A support desk’s front door: every ticket is accepted, kept and carried.')
  .version(VERSION)
  .showHelpAfterError('(see bellhop --help)')
  .exitOverride()
  .addHelpText(
    'after',
    `
Environment: PORT, HOST, DATABASE_URL (unset: an embedded PostgreSQL), DATA_DIR, BRANDS_FILE (unset: the demo
brands), LOG_LEVEL and the limits, all described in README.md.`,
  )

program
  .command('start')
  .description('run everything: the API, the worker and, while DATABASE_URL is unset, the database')
  .action(async () => (await import('./commands/serve.ts')).serve('start', process.stdout))

program
  .command('api')
  .description('answer requests only; needs DATABASE_URL')
  .action(async () => (await import('./commands/serve.ts')).serve('api', process.stdout))

program
  .command('worker')
  .description('carry what is due only; needs DATABASE_URL')
  .action(async () => (await import('./commands/serve.ts')).serve('worker', process.stdout))

program
  .command('migrate')
  .description('bring the database to this program’s version')
  .action(async () => (await import('./commands/migrate.ts')).migrateCommand(process.stdout))

program
  .command('token')
  .description('print an access token of the demo issuer')
  .requiredOption('--brand <id>', 'a demo brand: acme or globex')
  .requiredOption('--person <id>', 'the person that the token is for')
  .option('--email <address>', 'the person’s address')
  .option('--scope <scopes>', 'scopes, separated by spaces')
  .option('--ttl <duration>', 'how long it holds: 90s, 30m, 1h, 7d', '1h')
  .action(async (options) => (await import('./commands/token.ts')).tokenCommand(options, process.stdout))

const deliveries = program
  .command('deliveries')
  .description('list what is undelivered, show attempts, try again')

deliveries
  .command('list', { isDefault: true })
  .description('list deliveries, the oldest first: those not delivered, unless --state is given')
  .option('--state <state>', 'pending, leased, delivered, rejected or dead')
  .option('--brand <id>', 'of this brand')
  .option('--older-than <duration>', 'created at least so long ago: 15m, 2h, 1d')
  .option('--limit <count>', 'at most so many', '50')
  .option('--json', 'as JSON')
  .action(async (options) => (await import('./commands/deliveries.ts')).listCommand(options, process.stdout))

deliveries
  .command('show')
  .description('show a delivery and its attempts')
  .argument('<id>', 'the delivery’s id')
  .option('--json', 'as JSON')
  .action(async (id, options) =>
    (await import('./commands/deliveries.ts')).showCommand(id, options, process.stdout),
  )

deliveries
  .command('retry')
  .description('try rejected and dead deliveries again, for another three days')
  .argument('[ids...]', 'the deliveries’ ids')
  .option('--state <state>', 'all that are rejected, or all that are dead')
  .option('--brand <id>', 'with --state: of this brand')
  .option('--json', 'as JSON')
  .action(async (ids, options) =>
    (await import('./commands/deliveries.ts')).retryCommand(ids, options, process.stdout),
  )

program
  .command('doctor')
  .description('check the brands file, the database, each issuer and each desk')
  .action(async () => {
    if (!(await (await import('./commands/doctor.ts')).doctorCommand(process.stdout))) process.exitCode = 1
  })

// A reader that has seen enough (`bellhop deliveries | head`) is no fault of the command.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
})

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = 1
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2
  } else if (error instanceof OperatorError) {
    process.stderr.write(`bellhop: ${error.message.replaceAll('\n', '\nbellhop: ')}\n`)
  } else {
    process.stderr.write(`bellhop: ${await explain(error)}\n`)
  }
}

async function explain(error: unknown): Promise<string> {
  const { describeDatabaseError, isDatabaseAway } = await import('./database/pool.ts')
  if (isDatabaseAway(error)) {
    const { code } = describeDatabaseError(error)
    return `The database does not answer (${code}): check that it runs and that DATABASE_URL is right`
  }
  // A bug: where, and not what it was about.
  const { describeCause } = await import('./log.ts')
  return `something went wrong: ${JSON.stringify(describeCause(error))}`
}
