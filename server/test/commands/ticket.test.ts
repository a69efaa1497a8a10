import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { fromId } from '../../src/ids.ts'
import { readReplyAddress } from '../../src/mail/reply-address.ts'
import { read as readMail } from '../connectors/a-mail.ts'
import { until } from '../database/embedded/processes.ts'
import { createTestDatabase } from '../database/test-database.ts'
import { openShell } from './command-line.ts'
import {
  BRANDS_FILE,
  bellhop,
  database,
  entries,
  file,
  openTicket,
  operator,
  piped,
  REPLY,
  read,
  run,
  server,
  shell,
  sink,
  startOperating,
  stopOperating,
  ticket,
} from './operator-scene.ts'

beforeAll(startOperating)
afterAll(stopOperating)
beforeEach(openTicket)

const CANARY = 'canary-of-the-note'

test('the operator answers a ticket at the shell, and the customer hears it', async () => {
  const table = await bellhop()
  expect(table).toMatch(/^TICKET +STATUS +BRAND +MOVED +LAST +HELD +SUBJECT\n/)
  expect(table).toMatch(new RegExp(`^${ticket} +open +acme +\\S+ \\S+ +customer +- +My order`, 'm'))

  const told = await piped(
    'It leaves tomorrow.\nSorry!\n',
    'reply',
    ticket,
    '--name',
    'Grace',
    '--status',
    'pending',
  )
  expect(told).toMatch(/^msg_[0-9a-f]{32}\nThe answer is mailed to 1 address\. The ticket is pending\.\n$/)
  await until(() => sink.mails.length === 1)
  expect(sink.mails[0]?.to).toEqual(['ada@example.com'])
  expect(sink.mails[0]?.bytes.toString()).toContain('It leaves tomorrow.')
  const shown = await read()
  expect(shown).toMatchObject({
    status: 'pending',
    messages: [{}, { body: 'It leaves tomorrow.\nSorry!', speaker: { kind: 'agent', name: 'Grace' } }],
  })

  expect(await bellhop('note', ticket, '-m', `${CANARY}: a difficult one`)).toMatch(
    /It is a note: no customer/,
  )
  expect(await bellhop('solve', ticket)).toBe(`${ticket} is solved.\n`)
  expect(await bellhop('solve', ticket, '--json')).toContain('"status": "solved"')
  expect(JSON.stringify(await read())).not.toContain(CANARY)
  expect(await bellhop('list', '--status', 'solved')).toContain(ticket)
  expect(await bellhop('open', ticket)).toBe(`${ticket} is open.\n`)
  expect(await entries()).toEqual([
    `${operator} message.created`,
    `${operator} ticket.status pending`,
    `${operator} message.noted`,
    `${operator} ticket.status solved`,
    `${operator} ticket.status open`,
  ])

  await until(async () =>
    (await bellhop('show', ticket)).includes('to ada@example.com: delivered, 1 attempt'),
  )
  const story = await bellhop('show', ticket)
  expect(story).toMatch(/^requester +Ada Lovelace <ada@example\.com> \(not proven\)$/m)
  expect(story).toMatch(
    /^msg_\w+ {2}\S+ \S+ {2}customer Ada Lovelace by api\n {2}\| It was due on Monday\.\n {2}\| Where/m,
  )
  expect(story).toMatch(/^msg_\w+ {2}\S+ \S+ {2}agent Grace by command$/m)
  expect(story).toMatch(
    /^ {2}message dlv_\w+ {2}to ada@example\.com: delivered, 1 attempt, the last smtp_250 at /m,
  )
  expect(story).toMatch(new RegExp(`^msg_.*NOTE, which no customer reads, .*\n {2}\\| ${CANARY}`, 'm'))
  expect(story).toContain(`${operator}: ticket.status solved`)
  const address = /^reply address +(\S+)$/m.exec(story)?.[1] ?? ''
  const signed = readReplyAddress(REPLY, { brandId: 'acme', address })
  expect([signed?.ticketId, signed?.verify('ada@example.com')]).toEqual([fromId('tkt', ticket), true])
  expect(server.out()).not.toContain(CANARY)
})

test('files go with an answer, and the customer gets them', async () => {
  const [pdf, text] = [join(shell.dataDir, '../Rechnung für Ada.pdf'), join(shell.dataDir, '../note.txt')]
  await writeFile(pdf, '%PDF-1.7\n')
  await writeFile(text, 'Left at the door.')
  await bellhop('reply', ticket, '-m', 'Both are here.', '--file', pdf, '--file', text)
  await until(() => sink.mails.length === 1)
  const { attachments } = await readMail(sink.mails[0]?.bytes ?? Buffer.alloc(0))
  expect(attachments.map(({ filename, content }) => [filename, content.toString()])).toEqual([
    ['Rechnung für Ada.pdf', '%PDF-1.7\n'],
    ['note.txt', 'Left at the door.'],
  ])
  expect((await read()).messages[1]).toMatchObject({
    attachments: [
      { filename: 'Rechnung für Ada.pdf', content_type: 'application/pdf' },
      { filename: 'note.txt', size: 17 },
    ],
  })
  const { status, errors } = await run('note', ticket, '-m', 'No.', '--file', shell.dataDir)
  expect([status, errors]).toEqual([1, 'bellhop: --file: expected a file, and no folder or device\n'])
})

test('a brand without mail says that its customer reads it in the product', async () => {
  const ticket = await file('globex')
  expect(await bellhop('reply', ticket, '-m', 'Yes.')).toMatch(
    /\nThe answer is read in the product only: brand globex has no mail\. The ticket is open\.\n$/,
  )
  const answered = JSON.parse(await bellhop('reply', ticket, '-m', 'No.', '--json'))
  expect(answered).toMatchObject({ ticket_id: ticket, ticket_status: 'open', deliveries: [] })
  expect((await read(ticket)).messages.map(({ body }) => body).slice(1)).toEqual(['Yes.', 'No.'])
  expect(await bellhop('show', ticket)).toMatch(/^reply address +-$/m)
})

test('what a customer wrote does nothing to the operator’s terminal', async () => {
  const ticket = await file('acme', 'clear \u001b[2J and turn \u202e round')
  for (const out of [
    await bellhop('show', ticket),
    await bellhop('show', ticket, '--json'),
    await bellhop('list', '--json'),
    await bellhop(),
  ]) {
    expect(out.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
    expect(out).toMatch(/clear (?:<U\+001B>|\\u001b)\[2J and turn (?:<U\+202E>|\\u202e) round/)
  }
  expect(JSON.parse(await bellhop('show', ticket, '--json')).subject).toContain('\u001b[2J')
})

test('the same is done by DATABASE_URL, and where no server runs on the folder', async () => {
  const other = await openShell()
  const made = await createTestDatabase()
  try {
    const { endpoint } = made
    if (endpoint.kind !== 'socket') throw new Error('it is reached by its socket')
    const { user, password, path, database: name } = endpoint
    const DATABASE_URL = `postgresql://${user}:${encodeURIComponent(password)}@/${name}?host=${encodeURIComponent(dirname(path))}`
    const ended = await other.run(['ticket', '--brand', 'acme'], { BRANDS_FILE, DATABASE_URL })
    expect(ended).toMatchObject({ status: 0, out: 'No tickets.\n', errors: '' })
    await other.run(['migrate'], { BRANDS_FILE })
    const alone = await other.run(['ticket'], { BRANDS_FILE })
    expect(alone).toMatchObject({ status: 0, out: 'No tickets.\n', errors: '' })
    expect(await other.databasePid()).toBeNull()
  } finally {
    await other.stop()
    await made.stop()
  }
})

test('a mistake ends with 1 and a sentence, and changes nothing', async () => {
  const unknown = `tkt_${'0'.repeat(32)}`
  for (const [args, sentence] of [
    [['show', 'tkt_1'], /^bellhop: Expected an id: tkt_/],
    [['show', unknown], /^bellhop: There is no ticket with this id\./],
    [['reply', ticket], /^bellhop: Expected a text/],
    [['reply', ticket, '-m', 'a', '--name', 'Grace\nBcc'], /^bellhop: --name must not contain control/],
    [['reply', ticket, '-m', 'a', '--status', 'closed'], /^bellhop: --status: expected one of open/],
    [['release', `msg_${'0'.repeat(32)}`], /^bellhop: There is no message/],
    [['list', '--status', 'lost'], /^bellhop: --status: expected one of/],
    [['list', '--limit', '0'], /^bellhop: --limit/],
  ] as [string[], RegExp][]) {
    const { status, errors, out } = await run(...args)
    expect([args, status, out]).toEqual([args, 1, ''])
    expect(errors).toMatch(sentence)
  }
  // A shell without the server's brands file would take the demo brand for this one, and mail nothing.
  const { status, errors } = await shell.run(['ticket', 'reply', ticket, '-m', 'a'])
  expect([status, errors]).toEqual([
    1,
    expect.stringMatching(/^bellhop: BRANDS_FILE: expected that of the server/),
  ])
  await database.sql`
    UPDATE tickets SET status = 'closed', solved_at = now() WHERE id = ${fromId('tkt', ticket)}`
  expect((await run('reply', ticket, '-m', 'a')).errors).toBe('bellhop: The ticket is closed.\n')
  expect((await run('solve', ticket)).errors).toBe('bellhop: The ticket is closed.\n')
  expect(await entries()).toEqual([])
})
