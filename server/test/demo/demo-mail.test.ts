import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { simpleParser } from 'mailparser'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type DemoMailRequest, writeDemoMail } from '../../src/commands/demo-mail.ts'
import { demoBrands } from '../../src/demo.ts'
import { newUuid, toId } from '../../src/ids.ts'
import { newestText } from '../../src/mail/newest-text.ts'
import { readReplyAddress } from '../../src/mail/reply-address.ts'
import { linesOf } from '../config/brands-folder.ts'

const NOW = Date.UTC(2030, 0, 1)
const ADA = { brand: 'acme', from: 'ada@example.com', text: 'It has come. Thank you!' }
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bellhop-demo-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const write = (request: DemoMailRequest) =>
  writeDemoMail({ dataDir: folder, brandsFile: null }, request, () => NOW)

async function replyOf(brandId: string) {
  const reply = (await demoBrands(folder)).brands.find(({ id }) => id === brandId)?.reply
  if (!reply) throw new Error('no reply address')
  return reply
}

test('an answer goes to the ticket’s signed address, which the brand knows as its own', async () => {
  const uuid = newUuid()
  const bytes = await write({ ...ADA, text: 'Schön!\nGruß', ticket: toId('tkt', uuid) })
  expect(bytes.toString('latin1')).toMatch(
    /^Authentication-Results: demo\.bellhop\.invalid;\r\n dmarc=pass header\.from=example\.com\r\nFrom: /,
  )
  const mail = await simpleParser(bytes)
  expect(mail.from?.value).toEqual([{ address: 'ada@example.com', name: '' }])
  expect(mail.text).toContain(
    'On Tue, 01 Jan 2030 at 00:00, Acme <support@acme.bellhop.invalid> wrote:\n> -- Please reply above this line --\n',
  )
  // What the customer wrote, and nothing of what is quoted.
  expect(newestText(mail.text ?? '')).toEqual({ text: 'Schön!\nGruß', uncertain: false })
  const to = Array.isArray(mail.to) ? mail.to[0] : mail.to
  const address = to?.value[0]?.address ?? ''
  const signed = readReplyAddress(await replyOf('acme'), { brandId: 'acme', address })
  expect(signed).toMatchObject({ ticketId: uuid, side: 'customer' })
  expect([signed?.verify('ada@example.com'), signed?.verify('eve@example.com')]).toEqual([true, false])
  expect(readReplyAddress(await replyOf('globex'), { brandId: 'globex', address })).toBeNull()
})

test('without a ticket it asks something new, and no two are the same', async () => {
  const [one, other] = await Promise.all(
    [write(ADA), write(ADA)].map(async (mail) => simpleParser(await mail)),
  )
  expect(one?.to).toMatchObject({ text: 'support@acme.bellhop.invalid' })
  expect([one?.subject, one?.text]).toEqual([ADA.text, `${ADA.text}\n`])
  expect(one?.messageId).not.toBe(other?.messageId)
})

test('every option that is wrong is named, and no value is repeated', async () => {
  const wrong = { brand: 'canary', from: 'canary', text: ' ', ticket: 'canary' }
  expect(await linesOf(write(wrong))).toEqual([
    '--brand: expected one of the demo brands acme, globex',
    '--from: expected a plain e-mail address',
    '--text: expected what the customer says',
    '--ticket: expected the id of a ticket',
  ])
  const named = writeDemoMail({ dataDir: folder, brandsFile: 'b.yaml' }, ADA)
  expect(await linesOf(named)).toEqual([expect.stringContaining('only while BRANDS_FILE is unset')])
})

test('the brands’ reply keys survive a restart and are not the same', async () => {
  const [acme, globex, again] = await Promise.all([replyOf('acme'), replyOf('globex'), replyOf('acme')])
  expect(again).toEqual(acme)
  expect(acme.keys[0]?.length).toBe(32)
  expect(acme.keys[0]?.equals(globex.keys[0] ?? Buffer.alloc(0))).toBe(false)
})
