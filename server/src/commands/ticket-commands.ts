import type { Command } from 'commander'

/** `bellhop ticket …`; what a command does is loaded when it is called. */
export function addTicketCommands(program: Command): void {
  const ticket = program
    .command('ticket')
    .description('list tickets, show one, answer it, note on it, solve it; people and addresses of a ticket')

  ticket
    .command('list', { isDefault: true })
    .description('list tickets, those that moved last first: open and pending ones, unless --status is given')
    .option('--status <status>', 'open, pending, solved or closed')
    .option('--brand <id>', 'of this brand')
    .option('--limit <count>', 'at most so many', '50')
    .option('--json', 'as JSON')
    .action(async (options) => (await import('./ticket.ts')).listCommand(options, process.stdout))

  ticket
    .command('show')
    .description('show the whole story of a ticket, notes and what is held among it')
    .argument('<id>', 'the ticket’s id')
    .option('--json', 'as JSON')
    .action(async (id, options) => (await import('./ticket.ts')).showCommand(id, options, process.stdout))

  ticket
    .command('reply')
    .description('answer the customer, with the text on standard input unless --body is given')
    .argument('<id>', 'the ticket’s id')
    .option('-m, --body <text>', 'the answer')
    .option('--file <path>', 'a file that goes with it; may be given more than once', addTo)
    .option('--name <name>', 'who answers, as the customer reads it')
    .option('--status <status>', 'what the ticket becomes: open, pending or solved')
    .option('--json', 'as JSON')
    .action(async (id, options) =>
      (await import('./ticket-say.ts')).replyCommand(id, options, terminal(), process.stdout),
    )

  ticket
    .command('note')
    .description('put an internal note on a ticket, which no customer reads')
    .argument('<id>', 'the ticket’s id')
    .option('-m, --body <text>', 'the note; without it, standard input')
    .option('--file <path>', 'a file that goes with it; may be given more than once', addTo)
    .option('--name <name>', 'whose note it is')
    .option('--status <status>', 'what the ticket becomes: open, pending or solved')
    .option('--json', 'as JSON')
    .action(async (id, options) =>
      (await import('./ticket-say.ts')).noteCommand(id, options, terminal(), process.stdout),
    )

  for (const [name, status] of [
    ['solve', 'solved'],
    ['open', 'open'],
    ['pending', 'pending'],
  ] as const) {
    ticket
      .command(name)
      .description(`make a ticket ${status}`)
      .argument('<id>', 'the ticket’s id')
      .option('--json', 'as JSON')
      .action(async (id, options) =>
        (await import('./ticket-say.ts')).statusCommand(id, status, options, process.stdout),
      )
  }

  ticket
    .command('release')
    .description('send on a message that is held')
    .argument('<id>', 'the message’s id')
    .option('--json', 'as JSON')
    .action(async (id, options) =>
      (await import('./ticket-say.ts')).releaseCommand(id, options, process.stdout),
    )

  addPeopleCommands(ticket)
}

/** Whom a ticket's answers go to. */
function addPeopleCommands(ticket: Command): void {
  const participant = ticket
    .command('participant')
    .description('who hears the answers beside the requester, and may speak')

  participant
    .command('add')
    .description('add somebody by their address')
    .argument('<id>', 'the ticket’s id')
    .argument('<address>', 'their address')
    .option('--name <name>', 'their name')
    .action(async (id, address, options) =>
      (await import('./ticket-people.ts')).addParticipantCommand(id, address, options, process.stdout),
    )

  participant
    .command('remove')
    .description('remove somebody')
    .argument('<id>', 'the ticket’s id')
    .argument('<address>', 'their address')
    .action(async (id, address) =>
      (await import('./ticket-people.ts')).removeParticipantCommand(id, address, process.stdout),
    )

  const address = ticket.command('address').description('mend an address that refused mail for good')

  address
    .command('clear')
    .description('send mail there again')
    .argument('<id>', 'the ticket’s id')
    .argument('[address]', 'of a participant; the requester’s unless given')
    .action(async (id, refused) =>
      (await import('./ticket-people.ts')).clearAddressCommand(id, refused, process.stdout),
    )

  address
    .command('correct')
    .description('give the requester another address')
    .argument('<id>', 'the ticket’s id')
    .argument('<address>', 'the right address')
    .option('--proven', 'it is known to be the requester’s')
    .action(async (id, right, options) =>
      (await import('./ticket-people.ts')).correctAddressCommand(id, right, options, process.stdout),
    )
}

/** What is said comes from an option or from standard input. */
function terminal() {
  return { input: process.stdin, errors: process.stderr }
}

/** An option that may be given more than once. */
function addTo(value: string, before: string[] = []): string[] {
  return [...before, value]
}
