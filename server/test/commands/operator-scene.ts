import { userInfo } from 'node:os'
import { expect } from 'vitest'
import { findEmbedded } from '../../src/database/embedded/embedded.ts'
import { type Database, openDatabase } from '../../src/database/pool.ts'
import { fromId } from '../../src/ids.ts'
import { startMailSink } from '../connectors/mail-sink.ts'
import { startTestIssuer, type TestIssuer } from '../http/tokens/test-issuer.ts'
import { type Ended, openShell, type Running, type Shell } from './command-line.ts'

const KEY = Buffer.alloc(32, 3)
export const REPLY = { local: 'support', domain: 'acme.example', keys: [KEY] }

export let shell: Shell
export let issuer: TestIssuer
/** Where the mails to customers go. */
export let sink: Awaited<ReturnType<typeof startMailSink>>
export let server: Running
export let database: Database
export let BRANDS_FILE: string
/** A ticket of `per_ada` for `acme`; a new one in each test. */
export let ticket: string

/** Starts a server, at whose shell the operator is. */
export async function startOperating(): Promise<void> {
  shell = await openShell({ used: true })
  issuer = await startTestIssuer()
  sink = await startMailSink()
  BRANDS_FILE = await shell.writeBrands(brandsFile())
  server = shell.start(['start'], { BRANDS_FILE })
  await server.url()
  const endpoint = await findEmbedded(shell.dataDir)
  if (endpoint === null) throw new Error('no database')
  database = openDatabase(endpoint, { max: 2, applicationName: 'vitest' })
}

export async function stopOperating(): Promise<void> {
  await database.close()
  await shell.stop()
  await sink.close()
  await issuer.close()
}

export async function openTicket(): Promise<void> {
  sink.mails.length = 0
  ticket = await file('acme')
}

/** `acme` mails its customers; `globex` does not. The desk of both is the built-in inbox. */
function brandsFile(): string {
  return `issuers:
  - issuer: ${issuer.url}
    audience: bellhop
    jwks_uri: ${issuer.url}/jwks
brands:
  - id: acme
    name: Acme
    issuers: [${issuer.url}]
    tickets_per_minute: 0
    acknowledge: never
    answers: always
    desk: { connector: inbox }
    mail: { url: 'smtp://127.0.0.1:${sink.port}', from: Acme <support@acme.example> }
    reply: { address: support@acme.example, keys: ['${KEY.toString('base64')}'] }
  - id: globex
    name: Globex
    issuers: [${issuer.url}]
    tickets_per_minute: 0
    desk: { connector: inbox }
`
}

/** Files a ticket of `per_ada`. @returns its id */
export async function file(brandId: string, subject = 'My order has not arrived'): Promise<string> {
  const response = await fetch(`${await server.url()}/v1/support/tickets`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await issuer.token()}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      brand_id: brandId,
      person_id: 'per_ada',
      requester_email: 'ada@example.com',
      requester_name: 'Ada Lovelace',
      subject,
      body: 'It was due on Monday.\nWhere is it?',
    }),
  })
  return String(((await response.json()) as Record<string, unknown>).ticket_id)
}

/** The ticket as its customer reads it. */
export const read = async (id = ticket) => {
  const authorization = `Bearer ${await issuer.token()}`
  const response = await fetch(`${await server.url()}/v1/support/tickets/${id}`, {
    headers: { authorization },
  })
  return (await response.json()) as { status: string; messages: { body: string; speaker: object }[] }
}

export const run = (...args: string[]): Promise<Ended> => shell.run(['ticket', ...args], { BRANDS_FILE })
/** Runs `bellhop ticket …` and gives what it wrote; it must have gone well. */
export const bellhop = async (...args: string[]): Promise<string> => {
  const { status, out, errors } = await run(...args)
  expect([status, errors]).toEqual([0, ''])
  return out
}
/** The same with a text on standard input. */
export const piped = async (text: string, ...args: string[]): Promise<string> => {
  const main = new URL('../../src/main.ts', import.meta.url).pathname
  const command = 'printf %s "$TEXT" | "$0" "$@"'
  const environment = { BRANDS_FILE, TEXT: text }
  const shellArgs = ['-c', command, process.execPath, main, 'ticket', ...args]
  const { status, out, errors } = await shell.spawn('/bin/sh', shellArgs, { environment }).ended
  expect([status, errors]).toEqual([0, ''])
  return out
}

/** What is on record of the operator, on the test’s ticket. */
export const entries = async () =>
  (
    await database.sql<{ line: string }[]>`
      SELECT concat_ws(' ', actor, actor_id, action, status) AS line FROM audit_entries
      WHERE ticket_id = ${fromId('tkt', ticket)} AND actor = 'operator' ORDER BY xid, id`
  ).map(({ line }) => line)
export const operator = `operator ${userInfo().username}`
