import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Brand } from '../../src/config.ts'
import type { ConversationDeps } from '../../src/conversation/conversation.ts'
import { type Said, say } from '../../src/conversation/say.ts'
import { fromId, toId } from '../../src/ids.ts'
import { brandOf } from '../bellhop.ts'
import { answer } from '../conversation/scene.ts'
import { until } from '../database/embedded/processes.ts'
import {
  bellhop,
  database,
  entries,
  issuer,
  openTicket,
  operator,
  run,
  shell,
  sink,
  startOperating,
  stopOperating,
  ticket,
} from './operator-scene.ts'

beforeAll(startOperating)
afterAll(stopOperating)
beforeEach(openTicket)

/** An agent's answer that came by mail, as the settling of mails would keep it. */
async function hold(what: Partial<Said>): Promise<string> {
  const brand: Brand = brandOf('acme', issuer)
  const deps: ConversationDeps = {
    brands: new Map([['acme', brand]]),
    connectorOf: () => ({ name: 'inbox', atCommit: true }) as ReturnType<ConversationDeps['connectorOf']>,
  }
  const opened = { brandId: 'acme', ticketId: fromId('tkt', ticket) ?? '', messageId: '' }
  const said = answer(opened, {
    via: 'mail',
    actor: 'sender',
    authorAddress: 'grace@acme.example',
    heldFor: 'uncertain_text',
    ...what,
  })
  await database.sql.begin((tx) => say(tx, deps, said))
  return toId('msg', said.messageId)
}

describe('an answer is held', () => {
  test('the operator sees why and of what, and sends it on once', async () => {
    const held = await hold({ body: 'Yes.', wholeText: 'Yes.\n\n> Is it?' })
    expect(await bellhop()).toMatch(new RegExp(`^${ticket} .* customer +1 `, 'm'))
    const story = await bellhop('show', ticket)
    expect(story).toContain(
      `<grace@acme.example> by mail  HELD (uncertain_text): bellhop ticket release ${held}\n`,
    )
    expect(story).toContain('  the whole mail:\n  : Yes.\n  :\n  : > Is it?\n')
    expect(await bellhop('release', held)).toMatch(/\nThe answer is mailed to 1 address\./)
    await until(() => sink.mails.length === 1)
    const again = await run('release', held)
    expect([again.status, again.errors]).toEqual([1, 'bellhop: The message is not held.\n'])
    expect(await entries()).toEqual([`${operator} message.released`])
  })

  test('one that says nothing by itself is not sent', async () => {
    const held = await hold({ body: '', wholeText: '> Is it?' })
    const { status, errors } = await run('release', held)
    expect([status, errors]).toEqual([1, expect.stringMatching(/^bellhop: The message says nothing/)])
    expect(await bellhop('show', ticket)).toContain('HELD')
  })
})

test('a participant hears the answers until they are removed', async () => {
  expect(await bellhop('participant', 'add', ticket, 'Bob@EXAMPLE.org', '--name', 'Bob')).toMatch(
    /^Bob@example\.org hears/,
  )
  expect(await bellhop('participant', 'add', ticket, 'Bob@example.org')).toMatch(/is a participant already/)
  expect(await bellhop('show', ticket)).toMatch(/^participant +Bob <Bob@example\.org>$/m)
  expect(await bellhop('reply', ticket, '-m', 'Yes.')).toMatch(/\nThe answer is mailed to 2 addresses\./)
  await until(() => sink.mails.length === 2)
  expect(new Set(sink.mails.flatMap(({ to }) => to))).toEqual(new Set(['ada@example.com', 'Bob@example.org']))
  await bellhop('participant', 'remove', ticket, 'Bob@example.org')
  expect((await run('participant', 'remove', ticket, 'Bob@example.org')).status).toBe(1)
  expect(await bellhop('reply', ticket, '-m', 'Yes.')).toMatch(/mailed to 1 address\./)
  expect((await entries()).filter((line) => line.includes('participant'))).toEqual([
    `${operator} participant.added`,
    `${operator} participant.removed`,
  ])
  for (const address of ['ada@example.com', 'support@acme.example', 'bob', 'a@b\nBcc: c@d'])
    expect([address, (await run('participant', 'add', ticket, address)).status]).toEqual([address, 1])
})

test('an address that refused mail is cleared, or corrected', async () => {
  const bounce = () => database.sql`
    INSERT INTO bounced_addresses (brand_id, address, code) VALUES ('acme', 'ada@example.com', 'hard_5.1.1')`
  await bounce()
  expect(await bellhop('reply', ticket, '-m', 'One.')).toMatch(/every address has refused mail/)
  expect(await bellhop('show', ticket)).toMatch(/^no mail to +ada@example\.com: hard_5\.1\.1 at /m)
  expect(await bellhop('address', 'clear', ticket)).toMatch(/^Mail goes to ada@example\.com again/)
  expect((await run('address', 'clear', ticket)).status).toBe(1)
  await bellhop('reply', ticket, '-m', 'Two.')
  await until(() => sink.mails.length === 1)

  await bounce()
  await shell.run(['deliveries', 'hold'])
  await bellhop('reply', ticket, '-m', 'It waits.')
  expect(await bellhop('address', 'correct', ticket, 'ada@example.org', '--proven')).toMatch(
    /go to ada@example\.org from now on\.\nSo does 1 mail that waits\.\n$/,
  )
  await shell.run(['deliveries', 'release'])
  await bellhop('reply', ticket, '-m', 'Three.')
  await until(() => sink.mails.length === 3)
  expect(sink.mails.slice(1).map(({ to }) => to)).toEqual([['ada@example.org'], ['ada@example.org']])
  expect((await entries()).filter((line) => line.includes('address'))).toEqual([
    `${operator} address.cleared`,
    `${operator} address.corrected`,
  ])
  expect(await bellhop('show', ticket)).toMatch(/^requester +Ada Lovelace <ada@example\.org>$/m)
  await database.sql`DELETE FROM bounced_addresses`
})
