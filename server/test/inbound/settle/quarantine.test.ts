import { afterAll, beforeAll, beforeEach, describe, expect, it, test } from 'vitest'
import { forgetUnreferred } from '../../../src/blobs/blob.store.ts'
import { readStory } from '../../../src/conversation/ticket.report.ts'
import { newUuid } from '../../../src/ids.ts'
import {
  countWaiting,
  listQuarantine,
  type MailLine,
  RAW_SWEPT_AT_ONCE,
  sweepRaw,
} from '../../../src/inbound/quarantine.store.ts'
import { discardMail, releaseMail, UnreadAnswer } from '../../../src/inbound/quarantine.ts'
import { anEmail } from './an-email.ts'
import { endOf, type OpenedTicket, type SettleScene, saidOn, setSettleScene, signed } from './settle-scene.ts'

const DAY = 24 * 60 * 60 * 1000

let scene: SettleScene
let ticket: OpenedTicket
beforeAll(async () => {
  scene = await setSettleScene()
})
afterAll(() => scene.stop())
beforeEach(async () => {
  ticket = await scene.open('acme')
})

const release = (mail: MailLine, ticketId = ticket.ticketId) =>
  releaseMail(scene.deps, { ...mail, sha256: mail.sha256 ?? '' }, ticketId, 'root')
const auditOf = ({ mailId }: MailLine) => scene.sql`
  SELECT actor, actor_id, action FROM audit_entries WHERE inbound_mail_id = ${mailId} ORDER BY xid, id`
/** Ada's mail, which nobody proves. */
const unproven = (email: Parameters<typeof anEmail>[0] = {}) =>
  anEmail({ to: signed(ticket), verdict: 'fail', ...email })

describe('an operator releases a quarantined mail', () => {
  it('and it is said on the ticket, with its files, and audited', async () => {
    const files = [{ name: 'photo.png', type: 'image/png', content: 'not really' }]
    const mail = await scene.take('acme', unproven({ files }))
    expect(endOf(mail)).toBe('quarantined not_authenticated')
    expect(await saidOn(scene.sql, ticket)).toEqual([])
    const released = await release(mail)
    expect(released).toMatchObject({ author: 'customer', heldFor: null })
    expect(await saidOn(scene.sql, ticket)).toEqual(['customer: It has not arrived.'])
    expect(await scene.line(mail.mailId)).toMatchObject({
      settledAs: 'quarantined',
      resolution: 'released',
      ticketId: ticket.ticketId,
      messageId: released?.messageId,
    })
    expect(await auditOf(mail)).toEqual([
      { actor: 'operator', actor_id: 'root', action: 'inbound.released' },
      { actor: 'operator', actor_id: 'root', action: 'message.created' },
    ])
    const names =
      await scene.sql`SELECT filename FROM attachments WHERE message_id = ${released?.messageId ?? ''}`
    expect(names).toEqual([{ filename: 'photo.png' }])
  })

  test.each([
    ['a stranger, as a participant under their own name', 'Eve <eve@evil.example>', 'participant', 'Eve'],
    ['somebody of the desk, as an agent', 'Grace <grace@acme.example>', 'agent', 'Grace'],
    ['the requester, as themselves', 'Anybody <ada@example.com>', 'customer', null],
  ])('of %s', async (_, from, author, name) => {
    const released = await release(await scene.take('acme', unproven({ from })))
    expect(released?.author).toBe(author)
    const [row] = await scene.sql`
      SELECT author, author_name FROM messages WHERE id = ${released?.messageId ?? ''}`
    expect(row).toEqual({ author, author_name: name })
  })

  it('of an agent whose text cannot be told, and it is held all the same', async () => {
    const text =
      'On Mon, 3 Nov 2025 at 10:00, Ada <x@acme.example> wrote:\r\n> -- Please reply above this line --'
    const released = await release(await scene.take('acme', unproven({ from: 'grace@acme.example', text })))
    expect(released).toMatchObject({ author: 'agent', heldFor: 'empty_text' })
  })

  it('not of an agent, where it would go to the customer with all that it quotes', async () => {
    const long = unproven({ from: 'grace@acme.example', text: 'x '.repeat(2 * 1024 * 1024) })
    const mail = await scene.take('acme', long)
    await expect(release(mail)).rejects.toThrow(UnreadAnswer)
    // Whose it is stands in its head, even where the rest cannot be read.
    const deep = Array.from(
      { length: 30 },
      (_, at) => `--b${at}\r\nContent-Type: multipart/mixed; boundary=b${at + 1}\r\n\r\n`,
    )
    const raw = Buffer.from(
      `From: grace@acme.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b0\r\n\r\n${deep.join('')}`,
    )
    const unread = await scene.take('acme', raw)
    expect(endOf(unread)).toBe('quarantined unreadable_too_deep')
    await expect(release(unread)).rejects.toThrow(UnreadAnswer)
    expect((await scene.line(unread.mailId)).resolution).toBeNull()
    expect(await saidOn(scene.sql, ticket)).toEqual([])
  })

  it('that cannot be read, and it is attached as it came', async () => {
    const raw = Buffer.from('no header at all')
    const mail = await scene.take('acme', raw)
    expect(mail.settledAs).toBe('quarantined')
    const released = await release(mail)
    const [row] = await scene.sql`
      SELECT a.filename, encode(a.sha256, 'hex') AS sha256 FROM attachments a WHERE message_id = ${released?.messageId ?? ''}`
    if (row !== undefined) expect(await scene.blobs.read(row.sha256)).toEqual(raw)
    expect(await saidOn(scene.sql, ticket)).toHaveLength(1)
  })

  it('while the machine is busy, and it is read all the same', async () => {
    const mail = await scene.take('acme', unproven())
    const { reading } = scene.deps
    let late = 2
    scene.deps.reading = {
      read: async (...asked) =>
        late-- > 0 ? { unreadable: 'too_slow', again: true } : reading.read(...asked),
    }
    await release(mail)
    scene.deps.reading = reading
    expect(await saidOn(scene.sql, ticket)).toEqual(['customer: It has not arrived.'])
  })

  it('at the same time as another: one of them does it', async () => {
    const mail = await scene.take('acme', unproven())
    const both = await Promise.all([release(mail), release(mail)])
    expect(both.filter((released) => released !== null)).toHaveLength(1)
    expect(await saidOn(scene.sql, ticket)).toHaveLength(1)
    expect(await release(mail)).toBeNull()
    expect(await discardMail(scene.sql, mail, 'root')).toBe(false)
  })

  it('not on a closed ticket, nor on another brand’s, and it still lies there', async () => {
    const mail = await scene.take('acme', unproven())
    const closed = await scene.open('acme', { status: 'closed' })
    await expect(release(mail, closed.ticketId)).rejects.toMatchObject({ code: 'ticket_closed' })
    const other = await scene.open('globex')
    await expect(release(mail, other.ticketId)).rejects.toMatchObject({ code: 'not_found' })
    expect((await scene.line(mail.mailId)).resolution).toBeNull()
  })
})

describe('what lies in quarantine is seen', () => {
  const besideTicket = async () => {
    const { mails } = await readStory(
      scene.sql,
      { brandId: 'acme', ticketId: ticket.ticketId },
      'ada@example.com',
    )
    return mails.map(({ mailId, reason, resolution }) => [mailId, reason, resolution])
  }

  it('beside the one ticket that it points to, until long after it was discarded', async () => {
    const mail = await scene.take('acme', unproven())
    expect(mail.ticketId).toBe(ticket.ticketId)
    expect(await besideTicket()).toEqual([[mail.mailId, 'not_authenticated', null]])
    await discardMail(scene.sql, mail, 'root')
    expect(await besideTicket()).toEqual([[mail.mailId, 'not_authenticated', 'discarded']])
  })

  it('beside no ticket where it points to two, or to one by an address that does not hold', async () => {
    const other = await scene.open('acme')
    const two = await scene.take('acme', anEmail({ to: `${signed(ticket)}, ${signed(other)}` }))
    expect([endOf(two), two.ticketId]).toEqual(['quarantined two_tickets', null])
    const bad = await scene.take('acme', anEmail({ to: signed(ticket, 'customer', 'mallory@example.org') }))
    expect([endOf(bad), bad.ticketId]).toEqual(['quarantined bad_address', null])
    expect(await besideTicket()).toEqual([])
  })
})

it('an operator discards one, and it is nowhere but in the audit', async () => {
  const mail = await scene.take('acme', unproven())
  expect(await discardMail(scene.sql, mail, 'root')).toBe(true)
  const lying = await listQuarantine(scene.sql, { brandId: 'acme', limit: 1000 })
  expect(lying.map(({ mailId }) => mailId)).not.toContain(mail.mailId)
  expect(await auditOf(mail)).toEqual([{ actor: 'operator', actor_id: 'root', action: 'inbound.discarded' }])
  expect(await saidOn(scene.sql, ticket)).toEqual([])
})

describe('raw mail', () => {
  const sweep = async () => {
    const ids = Array.from({ length: RAW_SWEPT_AT_ONCE }, newUuid)
    await sweepRaw(scene.sql, 30 * DAY, ids)
  }
  const settledAgo = ({ mailId }: MailLine, days: number) => scene.sql`
    UPDATE inbound_mails SET settled_at = now() - make_interval(days => ${days}) WHERE id = ${mailId}`

  it('is kept for thirty days, and then forgotten with its blob', async () => {
    const [old, young] = [await scene.take('acme', unproven()), await scene.take('acme', unproven())]
    if (old === undefined || young === undefined) throw new Error('no mail')
    await discardMail(scene.sql, old, 'root')
    await settledAgo(old, 31)
    await settledAgo(young, 29)
    await sweep()
    expect((await scene.line(old.mailId)).sha256).toBeNull()
    expect((await scene.line(young.mailId)).sha256).toBe(young.sha256)
    const names = [old.sha256 ?? '', young.sha256 ?? '']
    expect(await forgetUnreferred(scene.sql, names)).toEqual(new Set([young.sha256]))
  })

  it('that still lies in quarantine is discarded with it, in plain sight', async () => {
    const mail = await scene.take('acme', unproven())
    await settledAgo(mail, 31)
    await sweep()
    expect(await scene.line(mail.mailId)).toMatchObject({ sha256: null, resolution: 'discarded' })
    expect(await auditOf(mail)).toEqual([{ actor: 'system', actor_id: null, action: 'inbound.discarded' }])
  })

  it('that waits to be settled is never swept', async () => {
    const mailId = await scene.bring('acme', unproven())
    await scene.sql`UPDATE inbound_mails SET received_at = now() - interval '90 days' WHERE id = ${mailId}`
    await sweep()
    expect((await scene.line(mailId)).sha256).not.toBeNull()
    await scene.settleNext()
  })
})

it('what waits is counted, with the age of the oldest', async () => {
  await scene.sql`UPDATE inbound_mails SET resolution = 'discarded', resolved_at = now()
    WHERE settled_as = 'quarantined' AND resolution IS NULL`
  const [first, second] = [await scene.take('acme', unproven()), await scene.take('acme', unproven())]
  await scene.sql`UPDATE inbound_mails SET received_at = now() - interval '1 hour' WHERE id = ${first?.mailId ?? ''}`
  const counts = await countWaiting(scene.sql)
  expect(counts).toMatchObject([{ brandId: 'acme', what: 'quarantined', count: 2 }])
  expect(counts[0]?.oldestAge).toBeGreaterThanOrEqual(3600)
  expect(second?.settledAs).toBe('quarantined')
})
