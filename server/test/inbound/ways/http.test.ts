import { createHash, randomBytes } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { toId } from '../../../src/ids.ts'
import { startBellhop, type TestBellhop } from '../../bellhop.ts'
import { aMail, brandsWithSecret, SECRET, type Signing, signed } from './signed-request.ts'

const MIB = 1024 * 1024

let bellhop: TestBellhop
beforeAll(async () => {
  // Nothing settles here: what came stays as it came.
  bellhop = await startBellhop({ brands: brandsWithSecret, roles: { api: true, worker: false } })
})
afterAll(() => bellhop.stop())
beforeEach(() => bellhop.sql`DELETE FROM inbound_mails`.then(() => undefined))

function bring(raw: Buffer, signing: Signing = {}, brand = 'acme', headers: Record<string, string> = {}) {
  return bellhop.ask(`/v1/inbound/${brand}`, {
    method: 'POST',
    headers: { ...signed(raw, signing), authorization: '', ...headers },
    body: new Uint8Array(raw),
  })
}

const rows = () => bellhop.sql`SELECT * FROM inbound_mails ORDER BY id`

describe('a mail server that hands on what it got', () => {
  it('hears the id once the bytes and the row are safe', async () => {
    const raw = aMail()
    const answer = await bring(raw)
    expect(answer.status).toBe(201)
    const [row, ...others] = await rows()
    expect(others).toEqual([])
    expect(answer.body).toEqual({ inbound_id: toId('inb', row?.id) })
    expect(row).toMatchObject({ brand_id: 'acme', way: 'http', state: 'received', head_only: false })
    expect(Number(row?.size)).toBe(raw.length)
    const name = createHash('sha256').update(raw).digest('hex')
    expect(row?.sha256.toString('hex')).toBe(name)
    expect(await readFile(join(bellhop.dataDir, 'blobs', name.slice(0, 2), name))).toEqual(raw)
  })

  it('may send bytes that are no text, as application/octet-stream', async () => {
    const answer = await bring(randomBytes(70_000), { type: 'application/octet-stream' })
    expect(answer.status).toBe(201)
  })

  it('is answered 200 with the same id where it sends the same request again, and nothing is kept twice', async () => {
    const seconds = Math.floor(Date.now() / 1000)
    const first = await bring(aMail(), { seconds })
    const again = await bring(aMail(), { seconds })
    expect([first.status, again.status]).toEqual([201, 200])
    expect(again.body).toEqual(first.body)
    expect(await rows()).toHaveLength(1)
    // At another time it is another request.
    expect((await bring(aMail(), { seconds: seconds - 1 })).status).toBe(201)
    expect(await rows()).toHaveLength(2)
  })

  it('is answered once with 201 where it sends the same request many times at once', async () => {
    const seconds = Math.floor(Date.now() / 1000)
    const mails = ['a', 'b'].flatMap((subject) => Array.from({ length: 10 }, () => aMail(subject)))
    const answers = await Promise.all(mails.map((mail) => bring(mail, { seconds })))
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array(18).fill(200), 201, 201])
    expect(new Set(answers.map(({ text }) => text)).size).toBe(2)
    expect(await rows()).toHaveLength(2)
  })

  it('may be five minutes apart, and no more', async () => {
    const now = Math.floor(Date.now() / 1000)
    expect((await bring(aMail(), { seconds: now - 290 })).status).toBe(201)
    expect((await bring(aMail(), { seconds: now + 290 })).status).toBe(201)
    expect((await bring(aMail(), { seconds: now - 310 })).status).toBe(401)
    expect((await bring(aMail(), { seconds: now + 310 })).status).toBe(401)
  })

  it('brings many at once, each kept once', async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => bring(aMail(`Order ${n}`))))
    const busy = answers.filter(({ status }) => status === 503).length
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(200 - busy)
    expect(await rows()).toHaveLength(200 - busy)
    // A place is given back with each answer.
    expect((await bring(aMail())).status).toBe(201)
  })
})

describe('who cannot sign', () => {
  it('cannot tell a brand that is not there from one without a secret, or from a wrong signature', async () => {
    const other = { secret: Buffer.from('another secret of thirty-two byte') }
    const answers = [
      await bring(aMail(), other),
      await bring(aMail(), other, 'globex'),
      await bring(aMail(), {}, 'globex'),
      await bring(aMail(), other, 'nobody'),
      await bring(aMail(), { signature: `v1=${'0'.repeat(64)}` }),
      await bring(aMail(), { signature: 'v1=0' }),
      await bring(aMail(), { signature: '' }),
      await bring(aMail(), {}, 'acme', { 'bellhop-timestamp': 'now' }),
    ]
    const same = answers.map(({ status, text, headers }) => [status, text, headers.get('www-authenticate')])
    expect(new Set(same.map(String)).size).toBe(1)
    expect(answers[0]).toMatchObject({ status: 401, body: { error: 'unauthorized' } })
    expect(answers[0]?.headers.get('www-authenticate')).toBe('Bellhop-Signature realm="bellhop"')
    expect(await rows()).toEqual([])
  })

  it('cannot bring other bytes, or at another time, with a signature that was seen', async () => {
    const seconds = Math.floor(Date.now() / 1000)
    const headers = signed(aMail(), { seconds })
    const signature = headers['bellhop-signature'] ?? ''
    expect((await bring(aMail('Other'), { seconds, signature })).status).toBe(401)
    expect((await bring(aMail(), { seconds: seconds - 1, signature })).status).toBe(401)
    expect((await bring(aMail(), { seconds, signature })).status).toBe(201)
  })
})

describe('what is not a mail that can be kept', () => {
  it('is refused by its content type', async () => {
    expect((await bring(aMail(), { type: 'text/plain' })).status).toBe(415)
    expect((await bring(aMail(), { type: 'message/rfc822x' })).status).toBe(415)
    expect((await bring(aMail(), { type: 'message/rfc822; charset=x' })).status).toBe(201)
    expect((await bring(aMail(), {}, 'acme', { 'content-encoding': 'gzip' })).status).toBe(415)
  })

  it('is refused where it is empty', async () => {
    const answer = await bring(Buffer.alloc(0))
    expect(answer).toMatchObject({ status: 400, body: { error: 'validation_error' } })
  })

  it('is refused over 25 MiB, and kept at 25 MiB', { timeout: 20_000 }, async () => {
    expect((await bring(Buffer.alloc(25 * MIB + 1, 'x'))).status).toBe(413)
    expect((await bring(Buffer.alloc(25 * MIB, 'x'))).status).toBe(201)
  })

  it('is refused with 405 by another method', async () => {
    const answer = await bellhop.ask('/v1/inbound/acme')
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST'])
  })
})

describe('while it cannot be kept', () => {
  it('answers 503, and takes the mail when the disk is back', async () => {
    const apart = await startBellhop({
      brands: brandsWithSecret,
      roles: { api: true, worker: false },
      beside: bellhop,
    })
    const raw = aMail('Disk')
    const { writeFile } = await import('node:fs/promises')
    const blobs = join(bellhop.dataDir, 'blobs')
    await rm(blobs, { recursive: true, force: true })
    await writeFile(blobs, 'no folder')
    const send = () =>
      apart.ask('/v1/inbound/acme', {
        method: 'POST',
        headers: { ...signed(raw), authorization: '' },
        body: new Uint8Array(raw),
      })
    const refused = await send()
    expect(refused).toMatchObject({ status: 503, body: { error: 'unavailable' } })
    expect(refused.headers.get('retry-after')).toBe('5')
    await rm(blobs)
    expect((await send()).status).toBe(201)
    await apart.stop()
  })

  it('says nothing of a mail in the log or the metrics', async () => {
    await bring(aMail('Canary'))
    expect(bellhop.logged()).not.toMatch(/Canary|ada@example|support@acme/)
    expect(bellhop.logged()).toContain('"inbound_id":"inb_')
    const { text } = await bellhop.ask('/metrics')
    expect(text).toMatch(/bellhop_inbound_mails_total\{brand="acme",way="http"\} [1-9]/)
    expect(text).toContain('bellhop_inbound_mails_total{brand="globex",way="http"} 0')
    expect(SECRET).toHaveLength(32)
  })
})
