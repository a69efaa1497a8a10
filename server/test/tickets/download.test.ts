import { hash } from 'node:crypto'
import { readdir, readlink, rename, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { attachmentDisposition } from '../../src/tickets/content-disposition.ts'
import { brandOf, startBellhop, type TestBellhop } from '../bellhop.ts'
import { headOf, sayRaw } from '../http/raw-http.ts'

let bellhop: TestBellhop
let authorization: string
beforeAll(async () => {
  bellhop = await startBellhop({
    brands: (issuer) => [
      brandOf('acme', issuer, { trustedClients: ['backend'] }),
      brandOf('globex', issuer, { requiredScope: 'read' }),
    ],
  })
  authorization = `Bearer ${await bellhop.issuer.token()}`
})
afterAll(() => bellhop.stop())

const bearer = async (claims: Record<string, unknown>) => ({
  authorization: `Bearer ${await bellhop.issuer.token(claims)}`,
})
type File = { attachment_id: string; content_type: string }
/** A ticket with a file. @returns where the file is read */
async function attach(bytes: Buffer, more: Record<string, unknown> = {}, brand = 'acme', headers = {}) {
  const attachment = { filename: 'a.bin', content_base64: bytes.toString('base64'), ...more }
  const { body } = await bellhop.file({ brand_id: brand, attachment }, headers)
  const ticket = String(body.ticket_id)
  const read = await bellhop.ask(`/v1/support/tickets/${ticket}`, { headers })
  const file = (read.body.messages as { attachments: File[] }[])[0]?.attachments[0]
  if (file === undefined) throw new Error('the file is not there')
  return { ticket, file, path: `/v1/support/tickets/${ticket}/attachments/${file.attachment_id}` }
}
const download = async (path: string, headers: Record<string, string> = {}, method = 'GET') => {
  const response = await fetch(bellhop.url + path, { method, headers: { authorization, ...headers } })
  return { response, bytes: Buffer.from(await response.arrayBuffer()) }
}
const blobPath = (sha256: string) => join(bellhop.dataDir, 'blobs', sha256.slice(0, 2), sha256)
/** How many of the blobs' files this process has open. */
const openBlobs = async () => {
  const names = await readdir('/proc/self/fd')
  const paths = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')))
  return paths.filter((path) => path.startsWith(join(bellhop.dataDir, 'blobs'))).length
}
const random = (size: number, seed: number) => {
  const bytes = Buffer.alloc(size)
  for (let at = 0, state = seed; at < size; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[at] = state >>> 24
  }
  return bytes
}

describe('a customer downloads a file', () => {
  test.each([1, 65_537, 9_000_000])('of %i bytes, as it was sent', async (size) => {
    const sent = random(size, size)
    const { path } = await attach(sent, { filename: 'Größe.pdf', content_type: 'application/pdf' })
    const { response, bytes } = await download(path)
    expect(response.status).toBe(200)
    expect(bytes.equals(sent)).toBe(true)
    const headers = Object.fromEntries(response.headers)
    expect(headers).toMatchObject({
      'content-type': 'application/pdf',
      'content-length': String(size),
      'content-disposition': `attachment; filename="Gr__e.pdf"; filename*=UTF-8''Gr%C3%B6%C3%9Fe.pdf`,
      'content-security-policy': "sandbox; default-src 'none'",
      'cross-origin-resource-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
      'cache-control': 'private, no-cache',
      etag: `"${hash('sha256', sent)}"`,
    })
  })

  test('and not again while they have it', async () => {
    const { path } = await attach(Buffer.from('once'))
    const etag = (await download(path)).response.headers.get('etag') ?? ''
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const { response, bytes } = await download(path, { 'if-none-match': known })
      expect([response.status, bytes.length, response.headers.get('etag')]).toEqual([304, 0, etag])
    }
    for (const known of ['"other"', etag.slice(1, -1), `"x${etag.slice(1)}`]) {
      expect((await download(path, { 'if-none-match': known })).response.status).toBe(200)
    }
  })

  test('or asks how large it is', async () => {
    const { path } = await attach(Buffer.from('four'))
    const { response, bytes } = await download(path, {}, 'HEAD')
    expect([response.status, response.headers.get('content-length'), bytes.length]).toEqual([200, '4', 0])
  })

  test.each([
    ['text/html', 'text/html'],
    ['text/plain; charset=utf-8', 'text/plain; charset=utf-8'],
    ['text/plain; charset="utf-8"', 'text/plain; charset="utf-8"'],
    ['text', 'application/octet-stream'],
    ['text/html\r\nset-cookie: a=b', 'application/octet-stream'],
    ['text/html; x', 'application/octet-stream'],
    ['täxt/html', 'application/octet-stream'],
    [`text/${'x'.repeat(300)}`, 'application/octet-stream'],
    [undefined, 'application/octet-stream'],
  ])('declared as %j, as %s', async (content_type, served) => {
    const { path } = await attach(Buffer.from('<script>alert(1)</script>'), { content_type })
    const { response } = await download(path)
    expect(response.headers.get('content-type')).toBe(served)
    expect(response.headers.get('set-cookie')).toBe(null)
  })
})

describe('whatever a file is called', () => {
  test.each([
    ['report.pdf', 'filename="report.pdf"; filename*=UTF-8\'\'report.pdf'],
    ['a "b".txt', `filename="a _b_.txt"; filename*=UTF-8''a%20%22b%22.txt`],
    ["it's (1)*.txt", `filename="it's (1)*.txt"; filename*=UTF-8''it%27s%20%281%29%2A.txt`],
    ['100%41.txt', `filename="100_41.txt"; filename*=UTF-8''100%2541.txt`],
    ['a\r\nset-cookie: x.txt', `filename="aset-cookie_ x.txt"; filename*=UTF-8''aset-cookie_%20x.txt`],
    ['../../etc/passwd', `filename=".._.._etc_passwd"; filename*=UTF-8''.._.._etc_passwd`],
    ['C:\\boot.ini', `filename="C__boot.ini"; filename*=UTF-8''C__boot.ini`],
    ['photo\u202egpj.exe', `filename="photogpj.exe"; filename*=UTF-8''photogpj.exe`],
    ['a\u200b\ufeff\u2066.txt\u0000\u001b', `filename="a.txt"; filename*=UTF-8''a.txt`],
    // A soft hyphen, a separator and a tag that nobody sees.
    ['a\u00ad\u180e\u{e0041}.txt', `filename="a.txt"; filename*=UTF-8''a.txt`],
    ['..', `filename="attachment"; filename*=UTF-8''attachment`],
    [' \t ', `filename="attachment"; filename*=UTF-8''attachment`],
    ['写真.png', `filename="__.png"; filename*=UTF-8''%E5%86%99%E7%9C%9F.png`],
  ])('%j', (name, expected) => {
    expect(attachmentDisposition(name)).toBe(`attachment; ${expected}`)
  })

  test('a name of two million characters is cut, before its ending', () => {
    const header = attachmentDisposition(`${'😀'.repeat(1_000_000)}.tar.gz`)
    expect(header.length).toBeLessThan(2500)
    expect(header).toMatch(/\.gz$/)
    expect(header).toMatch(/^[\x20-\x7e]+$/)
  })

  test('it is one header', async () => {
    const { path } = await attach(Buffer.from('x'), {
      filename: 'a"\r\nset-cookie: b=c\r\n\r\n<script>.html',
    })
    const answer = await sayRaw(bellhop.url, headOf('GET', path, { authorization }))
    expect(answer.status).toBe(200)
    expect(Object.keys(answer.headers)).not.toContain('set-cookie')
  })
})

describe('who may', () => {
  test('nobody else: it is not there, as one that never was', async () => {
    const { path, ticket, file } = await attach(Buffer.from('mine'))
    const missing = await bellhop.ask(`/v1/support/tickets/tkt_${'0'.repeat(32)}/attachments/att_0`)
    expect([missing.status, missing.body.error]).toEqual([404, 'not_found'])
    for (const claims of [{ sub: 'per_eve' }, { brand: 'globex' }, { sub: undefined, client_id: 'x' }]) {
      const answer = await bellhop.ask(path, { headers: await bearer(claims) })
      expect([answer.status, answer.text]).toEqual([404, missing.text])
    }
    const other = await attach(Buffer.from('other'))
    for (const id of [file.attachment_id, 'att_', 'msg_1', `att_${'0'.repeat(32)}`, '%00']) {
      const answer = await bellhop.ask(`/v1/support/tickets/${other.ticket}/attachments/${id}`)
      expect([answer.status, answer.body.error]).toEqual([404, 'not_found'])
    }
    expect((await bellhop.ask(path, { headers: { authorization: '' } })).status).toBe(401)
    const client = await bearer({ sub: undefined, client_id: 'backend' })
    expect(
      (await download(`/v1/support/tickets/${ticket}/attachments/${file.attachment_id}`, client)).response
        .status,
    ).toBe(200)
  })

  test('and not without the scope', async () => {
    const scope = await bearer({ scope: 'read' })
    const { path } = await attach(Buffer.from('scoped'), {}, 'globex', scope)
    expect((await bellhop.ask(path)).body.error).toBe('insufficient_scope')
    expect((await download(path, scope)).response.status).toBe(200)
  })
})

describe('what is not whole', () => {
  test('a file with other bytes than were sent is not given, and the operator is told', async () => {
    const sent = random(300_000, 1)
    const { path } = await attach(sent)
    const damaged = Buffer.from(sent)
    damaged[299_999] = (damaged[299_999] ?? 0) ^ 1
    await writeFile(blobPath(hash('sha256', sent)), damaged)
    const answer = await bellhop.ask(path)
    expect([answer.status, answer.body.error]).toEqual([500, 'internal_error'])
    expect(bellhop.logged()).toContain('BlobDamaged')
    expect(answer.headers.get('content-disposition')).toBe(null)
  })

  test('a file that cannot be read is tried again', async () => {
    const sent = Buffer.from('moved away')
    const { path } = await attach(sent)
    const place = blobPath(hash('sha256', sent))
    await rename(place, `${place}.away`)
    const answer = await bellhop.ask(path)
    expect([answer.status, answer.body.error]).toEqual([503, 'unavailable'])
    expect(answer.headers.get('retry-after')).toBe('5')
    await rename(`${place}.away`, place)
    expect((await download(path)).response.status).toBe(200)
  })

  test('who hangs up in the middle leaves no file open', async () => {
    const { path } = await attach(random(9_000_000, 3))
    const { port, hostname } = new URL(bellhop.url)
    const socket = connect(Number(port), hostname)
    socket.write(headOf('GET', path, { authorization }))
    await new Promise((resolve) => socket.once('data', resolve))
    socket.pause()
    expect(await openBlobs()).toBe(1)
    socket.destroy()
    await expect.poll(openBlobs).toBe(0)
  })
})

test('nothing of the file is logged', async () => {
  const { path } = await attach(Buffer.from('canary'), { filename: 'canary.txt' })
  await download(path)
  expect(bellhop.logged()).not.toContain('canary')
})
