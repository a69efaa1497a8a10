import { afterEach, describe, expect, test } from 'vitest'
import {
  createReadingPool,
  type ReadingPool,
  type ReadingPoolOptions,
} from '../../../src/inbound/reading/reading-pool.ts'
import { fakeDns, mailOf, signedMail } from '../signed-mail.ts'

const OPTIONS = { trustedAuthservIds: [] }
const small = Buffer.from(mailOf({}))
/** Lines are what takes a parser long. */
const slow = Buffer.from(mailOf({}, '\n'.repeat(24 * 1024 * 1024)))

const pools: ReadingPool[] = []
afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.close()
})

function poolWith(options: Partial<ReadingPoolOptions> = {}): ReadingPool {
  const pool = createReadingPool({ resolve: fakeDns({}), ...options })
  pools.push(pool)
  return pool
}

describe('a mail is read in a thread of its own', () => {
  test('with its files, its date and its digest as they are', async () => {
    const { raw, dns } = await signedMail(
      { Date: 'Mon, 5 Jan 2026 10:00:00 +0100', 'Content-Type': 'multipart/mixed; boundary=b' },
      '--b\r\n\r\nHello.\r\n--b\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\n%PDF\r\n--b--\r\n',
    )
    const mail = await poolWith({ resolve: dns }).read(raw, OPTIONS)
    expect(mail).toMatchObject({
      newestText: 'Hello.',
      date: new Date('2026-01-05T09:00:00Z'),
      authentication: { passed: true, by: 'dmarc' },
      attachments: [{ filename: 'a.pdf', declaredType: 'application/pdf', bytes: Buffer.from('%PDF') }],
    })
    expect('bodyDigest' in mail && Buffer.isBuffer(mail.bodyDigest) && mail.bodyDigest.length).toBe(32)
    expect(dns.asked).toContain('TXT one._domainkey.example.com')
  })

  test('and many one after another, in as many threads as there are', async () => {
    const pool = poolWith({ threads: 2 })
    const bodies = Array.from({ length: 30 }, (_, index) => `mail ${index}`)
    const read = await Promise.all(bodies.map((body) => pool.read(Buffer.from(mailOf({}, body)), OPTIONS)))
    expect(read.map((mail) => 'newestText' in mail && mail.newestText)).toEqual(bodies)
  })

  test('25 MiB in time', async () => {
    const text = Buffer.from(mailOf({}, 'A line of a text as people write them.\r\n'.repeat(640_000)))
    const file = Buffer.from(
      mailOf(
        { 'Content-Type': 'application/pdf', 'Content-Transfer-Encoding': 'base64' },
        `${'A'.repeat(76)}\r\n`.repeat(330_000),
      ),
    )
    // The machine may be busy with other tests; what is measured alone stays under 2 s.
    const pool = poolWith({ workMs: 10_000 })
    expect(await pool.read(text, OPTIONS)).toMatchObject({ uncertain: true })
    expect(await pool.read(file, OPTIONS)).toMatchObject({
      attachments: [{ declaredType: 'application/pdf' }],
    })
  })
})

describe('no mail stops the process', () => {
  test('one that takes too long ends its thread, and the next one is read', async () => {
    const pool = poolWith({ workMs: 1500 })
    await pool.read(small, OPTIONS)
    const reads = await Promise.all([pool.read(slow, OPTIONS), pool.read(small, OPTIONS)])
    expect(reads).toMatchObject([{ unreadable: 'too_slow' }, { newestText: 'Hello.' }])
  })

  test('one that had no time to be read in is worth another try, one that used its own is not', async () => {
    const pool = poolWith({ workMs: 20_000, wallMs: 300 })
    await pool.read(small, OPTIONS)
    expect(await pool.read(slow, OPTIONS)).toEqual({ unreadable: 'too_slow', again: true })
    // A thread that does not say in time how much it worked is given the benefit of the doubt.
    const strict = poolWith({ workMs: 20, wallMs: 20_000 })
    const reads = await Promise.all(Array.from({ length: 3 }, () => strict.read(slow, OPTIONS)))
    expect(reads).toContainEqual({ unreadable: 'too_slow' })
  })

  test('one that takes too much memory does, too', async () => {
    const pool = poolWith({ workMs: 20_000, heapMegabytes: 48 })
    const large = Buffer.from(mailOf({}, 'ü\n'.repeat(8 * 1024 * 1024)))
    const reads = await Promise.all([pool.read(large, OPTIONS), pool.read(small, OPTIONS)])
    expect(reads).toMatchObject([{ unreadable: 'too_large' }, { newestText: 'Hello.' }])
  })

  test('and one that a fault of ours meets', async () => {
    const pool = poolWith()
    const broken = { trustedAuthservIds: null as unknown as string[] }
    const reads = await Promise.all([pool.read(small, broken), pool.read(small, OPTIONS)])
    expect(reads).toMatchObject([{ unreadable: 'parser' }, { newestText: 'Hello.' }])
  })
})

describe('DNS is asked outside, and has a bound of its own', () => {
  test('a domain that does not answer keeps one mail waiting, and not each of them', async () => {
    let now = 0
    const asked: string[] = []
    const resolve = (name: string) => {
      asked.push(name)
      return /(^|\.)quiet\.example$/.test(name) ? new Promise(() => {}) : fakeDns({})(name, 'TXT')
    }
    const pool = poolWith({ resolve, dnsMs: 50, now: () => now })
    const read = async (address: string) => {
      const before = asked.length
      const mail = await pool.read(Buffer.from(mailOf({ From: address })), OPTIONS)
      const isLater = 'authentication' in mail && mail.authentication.temporary
      return { isLater, names: asked.slice(before) }
    }
    expect(await read('a@quiet.example')).toEqual({ isLater: true, names: ['_dmarc.quiet.example'] })
    expect(await read('b@quiet.example')).toEqual({ isLater: true, names: [] })
    expect(await read('b@below.quiet.example')).toEqual({ isLater: true, names: [] })
    const other = await read('b@unquiet.example')
    expect([other.isLater, other.names[0]]).toEqual([false, '_dmarc.unquiet.example'])
    now = 60_001
    expect((await read('a@quiet.example')).names).toEqual(['_dmarc.quiet.example'])
  })

  test('a key that does not answer keeps no mail waiting but its own', async () => {
    const { raw, dns } = await signedMail({ From: 'ada@example.com' })
    const pool = poolWith({
      dnsMs: 50,
      resolve: (name, type) => (name.startsWith('gone.') ? new Promise(() => {}) : dns(name, type)),
    })
    const signature = String(raw)
      .match(/^DKIM-Signature:.*?\r\n(?=\S)/s)?.[0]
      .replace('s=one', 's=gone')
    const forged = Buffer.from(`${signature}${mailOf({ From: 'ada@example.com' })}`)
    expect(await pool.read(forged, OPTIONS)).toMatchObject({ authentication: { temporary: true } })
    expect(await pool.read(raw, OPTIONS)).toMatchObject({ authentication: { passed: true } })
  })

  test('nor does a domain that had no time left to answer in', async () => {
    const asked: string[] = []
    const resolve = (name: string) => {
      asked.push(name)
      return asked.length <= 2 ? new Promise(() => {}) : fakeDns({})(name, 'TXT')
    }
    const { raw } = await signedMail({ From: 'ada@example.com' })
    const signature = String(raw)
      .match(/^DKIM-Signature:.*?\r\n(?=\S)/s)?.[0]
      .replace('d=example.com', 'd=quiet.example')
    const pool = poolWith({ resolve, dnsMs: 400, allDnsMs: 750 })
    const read = (head: string) =>
      pool.read(Buffer.from(`${head}${mailOf({ From: 'b@b.example' })}`), OPTIONS)
    expect(await read(signature ?? '')).toMatchObject({ authentication: { temporary: true } })
    expect(asked).toEqual(['one._domainkey.quiet.example', '_dmarc.b.example'])
    expect(await read('')).toMatchObject({ authentication: { temporary: false } })
  })

  test('who waits for it keeps nobody else waiting', async () => {
    const pool = poolWith({ resolve: () => new Promise(() => {}), dnsMs: 20_000, threads: 1 })
    const patient = Array.from({ length: 3 }, (_, n) =>
      pool.read(Buffer.from(mailOf({ From: `a@quiet${n}.example` })), OPTIONS).catch(() => 'closed'),
    )
    const nobodys = Buffer.from(mailOf({ From: 'two@a.example, authors@a.example' }))
    expect(await pool.read(nobodys, OPTIONS)).toMatchObject({ fromFault: 'many_mailboxes' })
    await pool.close()
    expect((await Promise.all(patient)).every((read) => read !== undefined)).toBe(true)
  })

  test('of too many that wait for it, the first of whoever has most gives way', async () => {
    const { raw, dns } = await signedMail({ From: 'ada@globex.example' })
    const { promise: answer, resolve: answers } = Promise.withResolvers<void>()
    const resolve = async (name: string, type: string) => {
      if (/quiet\d\.example$/.test(name)) return new Promise(() => {})
      await answer
      return dns(name, type)
    }
    const pool = poolWith({ resolve, dnsMs: 600_000, allDnsMs: 600_000, mostThreads: 4, patientMs: 300 })
    const heard: boolean[] = []
    const onAsking = (isAsking: boolean) => void heard.push(isAsking)
    // It waits longest, and is the only one of its brand.
    const slow = pool.read(raw, OPTIONS, { brandId: 'globex', onAsking })
    const quiet = (n: number) =>
      pool.read(Buffer.from(mailOf({ From: `a@quiet${n}.example` })), OPTIONS, { brandId: 'acme' })
    const quiets = Array.from({ length: 5 }, (_, n) => quiet(n).catch(() => 'closed'))
    const nobodys = Buffer.from(mailOf({ From: 'two@a.example, authors@a.example' }))
    expect(await pool.read(nobodys, OPTIONS, { brandId: 'globex' })).toMatchObject({
      fromFault: 'many_mailboxes',
    })
    for (const gaveWay of quiets.slice(0, 2))
      expect(await gaveWay).toMatchObject({ authentication: { temporary: true } })
    expect(heard).toEqual([true])
    answers()
    expect(await slow).toMatchObject({ authentication: { passed: true } })
    expect(heard.at(-1)).toBe(false)
    await pool.close()
    await Promise.all(quiets)
  })

  test('nor do many bytes wait for it while others have something to read', async () => {
    const pool = poolWith({
      resolve: () => new Promise(() => {}),
      dnsMs: 600_000,
      allDnsMs: 600_000,
      patientMs: 300,
      askingBytes: 1000,
    })
    const large = Buffer.from(mailOf({ From: 'a@quiet.example' }, 'A line.\r\n'.repeat(200)))
    const gaveWay = pool.read(large, OPTIONS)
    const nobodys = Buffer.from(mailOf({ From: 'two@a.example, authors@a.example' }))
    expect(await pool.read(nobodys, OPTIONS)).toMatchObject({ fromFault: 'many_mailboxes' })
    expect(await gaveWay).toMatchObject({ authentication: { temporary: true } })
  })

  test('and whom it asked is known to be silent all the same', async () => {
    const asked: string[] = []
    const { promise: answer, reject } = Promise.withResolvers<never>()
    const resolve = (name: string) => {
      asked.push(name)
      return answer
    }
    const pool = poolWith({ resolve, dnsMs: 600_000, allDnsMs: 600_000, mostThreads: 1, patientMs: 100 })
    const quiet = Buffer.from(mailOf({ From: 'a@quiet.example' }))
    const gaveWay = pool.read(quiet, OPTIONS)
    await pool.read(Buffer.from(mailOf({ From: 'two@a.example, authors@a.example' })), OPTIONS)
    expect(await gaveWay).toMatchObject({ authentication: { temporary: true } })
    reject(Object.assign(new Error('no answer'), { code: 'ETIMEOUT' }))
    expect(await pool.read(quiet, OPTIONS)).toMatchObject({ authentication: { temporary: true } })
    expect(asked).toEqual(['_dmarc.quiet.example'])
  })

  test('to wait for it is no work', async () => {
    const { raw, dns } = await signedMail({})
    const resolve = async (name: string, type: string) => {
      await new Promise((done) => setTimeout(done, 300))
      return dns(name, type)
    }
    const pool = poolWith({ resolve })
    await pool.read(small, OPTIONS)
    const patient = await poolWith({ resolve, workMs: 1000 }).read(raw, OPTIONS)
    expect(patient).toMatchObject({ authentication: { passed: true } })
  })

  test('what does not answer leaves the author unknown for now', async () => {
    const { raw } = await signedMail({})
    const pool = poolWith({ resolve: () => new Promise(() => {}), dnsMs: 50 })
    expect(await pool.read(raw, OPTIONS)).toMatchObject({
      authentication: { passed: false, temporary: true },
    })
  })

  test('so does what would wait too long altogether', async () => {
    const { raw } = await signedMail({})
    const pool = poolWith({ resolve: () => new Promise(() => {}), allDnsMs: 50 })
    expect(await pool.read(raw, OPTIONS)).toMatchObject({
      authentication: { passed: false, temporary: true },
    })
  })
})

describe('nothing waits without a bound', () => {
  test('more than may wait are refused', async () => {
    const pool = poolWith({ queue: 2 })
    const reads = await Promise.allSettled(Array.from({ length: 6 }, () => pool.read(small, OPTIONS)))
    expect(reads.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(0)
    expect(await pool.read(small, OPTIONS)).toMatchObject({ newestText: 'Hello.' })
  })

  test('a pool that is closed reads nothing any more, and says so to who waits', async () => {
    const pool = createReadingPool({ resolve: () => new Promise(() => {}) })
    const { raw } = await signedMail({})
    const reads = [pool.read(raw, OPTIONS), pool.read(raw, OPTIONS)].map((read) =>
      read.catch((error) => error),
    )
    await pool.close()
    for (const read of await Promise.all(reads)) expect(read).toBeInstanceOf(Error)
    await expect(pool.read(small, OPTIONS)).rejects.toThrow('closed')
  })
})
