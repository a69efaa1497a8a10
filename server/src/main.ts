import { Command, CommanderError } from 'commander'
import { addTicketCommands } from './commands/ticket-commands.ts'
import { OperatorError } from './errors.ts'
import { VERSION } from './version.ts'

/** The command line. Commands are loaded when they are called, so that `token` need not start what `start` needs. */
const program = new Command('bellhop')
  .description('A support desk’s front door: every ticket is accepted, kept and carried.')
  .version(VERSION)
  .exitOverride()
  .addHelpText(
    'after',
    `
Environment: PORT, HOST, DATABASE_URL (unset: an embedded PostgreSQL), DATA_DIR, BRANDS_FILE (unset: the demo
brands), LOG_LEVEL, SIGNING_SECRET, BACKUP_DIR, the times and the limits, all described in README.md.`,
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

program
  .command('demo-mail')
  .description('print a mail of a customer to a demo brand, for bellhop inbound')
  .requiredOption('--brand <id>', 'a demo brand: acme or globex')
  .requiredOption('--from <address>', 'whose mail it is')
  .requiredOption('--text <text>', 'what it says')
  .option('--ticket <id>', 'the ticket that it answers; without it the mail opens one')
  .action(async (options) =>
    (await import('./commands/demo-mail.ts')).demoMailCommand(options, process.stdout),
  )

const deliveries = program
  .command('deliveries')
  .description('list what is undelivered, show attempts, try again, hold and release')

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

deliveries
  .command('hold')
  .description('carry nothing until release; tickets are accepted and wait')
  .action(async () => (await import('./commands/deliveries.ts')).holdCommand(process.stdout))

deliveries
  .command('release')
  .description('carry what waits since hold')
  .action(async () => (await import('./commands/deliveries.ts')).releaseCommand(process.stdout))

const inbound = program
  .command('inbound')
  .description(
    'take one mail from standard input, for a mail server’s pipe; ends with 75 where it should try again',
  )
  .option('--brand <id>', 'the brand that the mail is for')
  .action(async (options: { brand?: string }) => {
    const { inboundCommand } = await import('./commands/inbound.ts')
    process.exitCode = await inboundCommand(options, process.stdin, process.stderr)
  })

inbound
  .command('list')
  .description('list the mails that lie in quarantine, the oldest first, each with its reason')
  .option('--brand <id>', 'of this brand')
  .option('--limit <count>', 'at most so many', '50')
  .option('--json', 'as JSON')
  // `inbound` has a --brand, too, and takes it also where it stands behind `list`.
  .action(async (_, command: Command) =>
    (await import('./commands/inbound-list.ts')).inboundListCommand(
      command.optsWithGlobals(),
      process.stdout,
    ),
  )

inbound
  .command('show')
  .description('show a mail that came, and what became of it')
  .argument('<id>', 'the mail’s id')
  .option('--raw', 'the mail as it came')
  .option('--json', 'as JSON')
  .action(async (id, options) =>
    (await import('./commands/inbound-show.ts')).inboundShowCommand(id, options, process.stdout),
  )

inbound
  .command('release')
  .description('make a quarantined mail a message on a ticket')
  .argument('<id>', 'the mail’s id')
  .requiredOption('--ticket <id>', 'the ticket')
  .option('--json', 'as JSON')
  .action(async (id, options) =>
    (await import('./commands/inbound-resolve.ts')).inboundReleaseCommand(id, options, process.stdout),
  )

inbound
  .command('discard')
  .description('say of a quarantined mail that it is nothing to anybody')
  .argument('<id>', 'the mail’s id')
  .action(async (id) =>
    (await import('./commands/inbound-resolve.ts')).inboundDiscardCommand(id, process.stdout),
  )

addTicketCommands(program)

/** Whether what goes to stdout is worth nothing unless all of it arrives. */
let mustArrive = false

program
  .command('backup')
  .description('copy the database and the attachments into one archive, while the server runs')
  .argument('<file>', 'the archive; - is stdout')
  .option('--verify', 'read an archive instead, and say whether it is whole')
  .option('--force', 'replace a file that is there')
  .action(async (file, options) => {
    mustArrive = file === '-' && options.verify !== true
    await (await import('./commands/backup.ts')).backupCommand(file, options, process.stdout, process.stderr)
  })

program
  .command('restore')
  .description('bring an archive into an empty database; needs the server stopped')
  .argument('<file>', 'the archive')
  .option('--hold', 'carry nothing until `bellhop deliveries release`')
  .option('--same-attachments', 'keep the attachments’ folder of the installation whose database is lost')
  .action(async (file, options) =>
    (await import('./commands/restore.ts')).restoreCommand(file, options, process.stdout, process.stderr),
  )

program
  .command('doctor')
  .description('check the brands file, the database, each issuer, each desk and each brand’s mail')
  .option('--deep', 'read the whole database and every attachment instead; asks no issuer and no desk')
  .action(async (options: { deep?: boolean }) => {
    const watched = process.stderr.isTTY === true ? process.stderr : null
    const well = options.deep
      ? await (await import('./commands/doctor-deep.ts')).deepDoctorCommand(process.stdout, watched)
      : await (await import('./commands/doctor.ts')).doctorCommand(process.stdout)
    if (!well) process.exitCode = 1
  })

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Whoever writes an archive hears of it as well, and ends with a sentence.
  if (mustArrive) return
  // A reader that has seen enough (`bellhop deliveries | head`) is no fault of the command.
  if (error.code === 'EPIPE') process.exit()
  process.stderr.write(`bellhop: stdout: it cannot be written (${error.code})\n`)
  process.exit(1)
})

pointToHelp(program, 'bellhop')

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = 1
  if (error instanceof CommanderError) {
    // A mail server reads sysexits.h, where 64 is a mistake in the call.
    const mistaken = process.argv[2] === 'inbound' ? 64 : 2
    process.exitCode = error.exitCode === 0 ? 0 : mistaken
  } else if (error instanceof OperatorError) {
    process.stderr.write(`bellhop: ${error.message.replaceAll('\n', '\nbellhop: ')}\n`)
  } else {
    process.stderr.write(`bellhop: ${await explain(error)}\n`)
  }
}

async function explain(error: unknown): Promise<string> {
  const { describeDatabaseError, isDatabaseAway, isLockTimeout } = await import('./database/pool.ts')
  if (isDatabaseAway(error)) {
    const { code } = describeDatabaseError(error)
    if (isLockTimeout(error))
      return 'Another session holds a table that this needs, a backup perhaps: try again later'
    return `The database does not answer (${code}): check that it runs and that DATABASE_URL is right`
  }
  // A bug: where, and not what it was about.
  const { describeCause } = await import('./log.ts')
  return `something went wrong: ${JSON.stringify(describeCause(error))}`
}

/** Whoever called a command wrongly is sent to the help of that command. */
function pointToHelp(command: Command, path: string): void {
  command.showHelpAfterError(`(see ${path} --help)`)
  for (const one of command.commands) pointToHelp(one, `${path} ${one.name()}`)
}
