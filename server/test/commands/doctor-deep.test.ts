import { createHash, randomBytes } from 'node:crypto'
import { appendFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openShell, type Shell } from './command-line.ts'

let shell: Shell
let url: string
let token: string
beforeAll(async () => {
  shell = await openShell({ used: true })
  url = await shell.start(['start']).url()
  token = (await shell.run(['token', '--brand', 'acme', '--person', 'per_ada'])).out.trim()
})
afterAll(() => shell.stop())

/** Files a ticket with so many bytes. @returns where they are kept */
async function fileAttachment(bytes: Buffer): Promise<string> {
  const response = await fetch(`${url}/v1/support/tickets`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      ...{ brand_id: 'acme', person_id: 'per_ada', requester_email: 'ada@example.com' },
      ...{ subject: 'My order has not arrived', body: 'Where is it?' },
      attachment: { filename: 'receipt.pdf', content_base64: bytes.toString('base64') },
    }),
  })
  expect(response.status).toBe(201)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return join(shell.dataDir, 'blobs', sha256.slice(0, 2), sha256)
}

const deep = async (environment: NodeJS.ProcessEnv = {}) => shell.run(['doctor', '--deep'], environment)
const FILES = 'every blob’s file is there, with its size and its SHA-256'

describe('beside a server', () => {
  test('says what holds, and that what came in is what is there', async () => {
    await fileAttachment(randomBytes(1_000_000))
    // Neither a desk nor an issuer is asked for anything: a brands file that is away is no matter.
    const { status, out, errors } = await deep({ BRANDS_FILE: '/nowhere/brands.yaml' })
    expect([status, errors]).toEqual([0, ''])
    const verdicts = out.slice(0, out.indexOf('\n\n')).split('\n')
    expect(verdicts.filter((line) => !line.startsWith('ok    '))).toEqual([])
    expect(verdicts).toContain(`ok    ${FILES}`)
    expect(verdicts.at(-1)).toBe('ok    numbers in equal numbers out')
    expect(out).toMatch(/^(\d+) tickets = \1 audit entries of their making$/m)
    expect(out).toContain('1 messages of customers = 1 deliveries of them')
    expect(out).toContain('1 deliveries = 0 pending + 0 leased + 1 delivered + 0 rejected')
    expect(out).toContain('0 mails that came = 0 to be settled')
    expect(out).toContain('1 files read, 1.0 MiB')
  })

  test.each([
    ['is gone', (path: string) => rm(path)],
    ['has other bytes', (path: string) => writeFile(path, randomBytes(1000))],
    ['is longer', (path: string) => appendFile(path, 'more')],
    ['is empty', (path: string) => writeFile(path, '')],
  ])('names the blob whose file %s, and fails', async (_how, damage) => {
    const bytes = randomBytes(1000)
    const path = await fileAttachment(bytes)
    await damage(path)
    const { status, out, errors } = await deep()
    expect([status, errors]).toEqual([1, ''])
    const failed = out.split('\n').filter((line) => line.startsWith('FAIL'))
    expect(failed).toEqual([`FAIL  ${FILES}: 1 breaks it: ${path.slice(-64)}`])
    await writeFile(path, bytes)
  })

  test('finds a file that a sweep has moved aside for a moment', async () => {
    const path = await fileAttachment(randomBytes(1000))
    await rename(path, join(shell.dataDir, 'blobs', `old-${path.slice(-64)}`))
    expect((await deep()).status).toBe(0)
    await rename(join(shell.dataDir, 'blobs', `old-${path.slice(-64)}`), path)
  })
})
