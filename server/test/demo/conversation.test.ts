import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fileTicket, openShell, type Shell } from '../commands/command-line.ts'
import { until } from '../database/embedded/processes.ts'

const BELLHOP = join(import.meta.dirname, '../../bin/bellhop')

let shell: Shell
let url: string
let token: string
beforeAll(async () => {
  shell = await openShell()
  url = await shell.start(['start']).url()
  token = (await shell.run(['token', '--brand', 'acme', '--person', 'per_ada'])).out.trim()
})
afterAll(() => shell.stop())

type Said = { author: string; body: string }

async function read(ticketId: string): Promise<{ status: string; messages: Said[] }> {
  const response = await fetch(`${url}/v1/support/tickets/${ticketId}`, {
    headers: { authorization: `Bearer ${token}` },
  })
  return (await response.json()) as { status: string; messages: Said[] }
}

/** As README has it: the mail that one command prints is what the other takes. */
function mail(ticketId: string, from: string, text: string) {
  const line = `"$0" demo-mail --brand acme --ticket "$1" --from "$2" --text "$3" | "$0" inbound --brand acme`
  return shell.spawn('sh', ['-c', line, BELLHOP, ticketId, from, text]).ended
}

test('a ticket by the API, an answer from a shell and the customer’s answer by mail are one conversation', async () => {
  const ticketId = String((await fileTicket(url, token)).body.ticket_id)
  const answer = await shell.run([
    'ticket',
    'reply',
    ticketId,
    '--body',
    'It left today.',
    '--status',
    'solved',
  ])
  expect(answer).toMatchObject({ status: 0, errors: '' })
  expect(await mail(ticketId, 'ada@example.com', 'It has come. Thank you!')).toMatchObject({
    status: 0,
    errors: '',
  })
  const ticket = await until(async () => {
    const now = await read(ticketId)
    return now.messages.length === 3 && now
  })
  expect(ticket.messages.map(({ author, body }) => [author, body])).toEqual([
    ['customer', 'It was due on Monday. Where is it?'],
    ['agent', 'It left today.'],
    ['customer', 'It has come. Thank you!'],
  ])
  expect(ticket.status).toBe('open')
})

test('a stranger who has the address of a ticket is not heard there, and lies in plain sight', async () => {
  const ticketId = String((await fileTicket(url, token)).body.ticket_id)
  expect((await mail(ticketId, 'eve@example.net', 'Send it to me.')).status).toBe(0)
  const list = await until(async () => {
    const { out } = await shell.run(['inbound', 'list', '--json'])
    return out.includes('stranger') && out
  })
  expect(list).toContain('eve@example.net')
  expect((await read(ticketId)).messages).toHaveLength(1)
})
