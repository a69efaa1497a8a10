import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import type { MailboxPace } from '../../../src/inbound/imap/mailbox-watch.ts'
import { until } from '../../database/embedded/processes.ts'
import { type Break, type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import type { TestImapServer } from './imap-server.ts'
import { digestOf, newMail, PACE, type Reading, startReading } from './reading.ts'

/** Everything that must hold of a mailbox, whoever serves it: called within a `describe` of that server. */
export function itIsReadWhole(start: () => Promise<TestImapServer>): void {
  let server: TestImapServer
  let proxy: FaultProxy
  let reading: Reading
  let there: Buffer[] = []
  beforeAll(async () => {
    server = await start()
    proxy = await startFaultProxy(server.settings.port)
    reading = await startReading()
  })
  afterAll(async () => {
    await reading.close()
    await proxy.close()
    await server.close()
  })
  afterEach(async () => {
    await reading.rest()
    await reading.forget()
    for (const _ of there) await server.removeFirst()
    there = []
  })

  const throughProxy = () => ({ ...server.settings, port: proxy.port })
  async function arrive(...mails: Buffer[]): Promise<string[]> {
    for (const mail of mails) await server.append(mail)
    there.push(...mails)
    return mails.map(digestOf)
  }

  it('is read as it is, then told of by itself, and stays unread', async () => {
    const first = await arrive(newMail(), newMail(5000), newMail())
    const watch = reading.watch(throughProxy())
    expect(await reading.kept(3)).toEqual(first)
    await until(() => proxy.commands.at(-1) === 'IDLE')
    // The next look by the clock is far away.
    const next = await arrive(newMail())
    expect(await reading.kept(4)).toEqual([...first, ...next])
    for (const mail of there) expect(await reading.bytes(digestOf(mail))).toEqual(mail)
    expect((await reading.rows()).map(({ size }) => size)).toEqual(there.map(({ length }) => length))
    expect(await server.count()).toEqual({ messages: 4, unseen: 4 })
    expect(proxy.commands).not.toContain('SELECT')
    expect(proxy.commands).not.toContain('STORE')
    expect(watch.age).toBeLessThan(20)
  })

  it('is looked at by the clock where the server tells nothing', async () => {
    reading.watch(server.settings, { pace: { ...PACE, poll: 20 } })
    const mails = await arrive(newMail(), newMail())
    expect(await reading.kept(2)).toEqual(mails)
  })

  it('goes on where it was left, read or not', async () => {
    const first = await arrive(newMail(), newMail())
    reading.watch(server.settings)
    await reading.kept(2)
    await reading.rest()
    const next = await arrive(newMail())
    reading.watch(server.settings)
    expect(await reading.kept(3)).toEqual([...first, ...next])
  })

  it('loses and doubles nothing, at whichever command the connection breaks', {
    timeout: 120_000,
  }, async () => {
    await arrive(newMail(), newMail(3000), newMail())
    // What a reading asks for where nothing breaks, with a mail that comes while it waits.
    let asked: string[] = []
    asked = await readThrough(null)
    expect(asked).toEqual(expect.arrayContaining(['EXAMINE', 'UID SEARCH', 'UID FETCH', 'IDLE', 'DONE']))
    const moments: Break['moment'][] = ['before', 'after', { within: 60 }]
    for (const moment of moments) {
      for (const command of asked.keys()) await readThrough({ command, moment })
    }
    // A server that says no more, and does not hang up.
    const pace = { ...PACE, poll: 300, patience: { command: 300, mail: 300 } }
    for (const command of asked.keys()) await readThrough({ command, moment: 'silent' }, pace)

    /** Reads three mails, then a fourth, and says what was asked for. */
    async function readThrough(where: Break | null, pace: MailboxPace = PACE): Promise<string[]> {
      await reading.forget()
      // Where nothing waits yet when it breaks, the fourth may be there from the beginning.
      const early = where !== null && where.command < asked.indexOf('IDLE')
      if (early) await arrive(newMail())
      const before = proxy.commands.length
      if (where !== null) proxy.breakAt(where)
      reading.watch(throughProxy(), { pace })
      await reading.kept(3)
      if (!early) await arrive(newMail())
      await reading.kept(4)
      await until(() => (where === null ? proxy.commands.at(-1) === 'IDLE' : proxy.broke()))
      await reading.rest()
      const kept = (await reading.rows()).map(({ sha256 }) => sha256)
      expect(kept, JSON.stringify(where)).toEqual(there.map(digestOf))
      const all = proxy.commands.slice(before)
      await server.removeFirst()
      there.shift()
      // The goodbye of a reading that ends is nobody's loss.
      return all.slice(0, all.lastIndexOf('IDLE') + 1)
    }
  })

  it('is read again from its beginning when it was reset, and doubles nothing', async () => {
    const mails = await arrive(newMail(), newMail(), newMail())
    reading.watch(server.settings, { pace: { ...PACE, poll: 20 } })
    await reading.kept(3)
    await server.reset()
    const next = await arrive(newMail())
    expect(await reading.kept(4)).toEqual([...mails, ...next])
    expect(reading.logged()).toContain('imap_mailbox_reset')
    // Once more, while nobody looks.
    await reading.rest()
    await server.reset()
    const last = await arrive(newMail())
    reading.watch(server.settings)
    expect(await reading.kept(5)).toEqual([...mails, ...next, ...last])
  })

  it('is read again to its end when the connection breaks in the middle of that', async () => {
    const mails = await arrive(newMail(), newMail(), newMail(), newMail())
    const before = proxy.commands.length
    reading.watch(throughProxy())
    await reading.kept(4)
    await reading.rest()
    await server.reset()
    const next = await arrive(newMail())
    // The sizes are the first FETCH, so this is the second mail's.
    const fetches = proxy.commands.slice(before).flatMap((name, n) => (name === 'UID FETCH' ? [n] : []))
    proxy.breakAt({ command: fetches[2] ?? -1, moment: 'before' })
    reading.watch(throughProxy())
    expect(await reading.kept(5)).toEqual([...mails, ...next])
    expect(proxy.broke()).toBe(true)
  })

  it('keeps both of two mails that are the same to the last byte, and neither again after a reset', async () => {
    const mail = newMail()
    await arrive(mail, mail)
    reading.watch(server.settings, { pace: { ...PACE, poll: 20 } })
    await reading.kept(2)
    await server.reset()
    const next = await arrive(newMail())
    expect(await reading.kept(3)).toEqual([...Array(2).fill(digestOf(mail)), ...next])
  })

  it('passes over what is gone when its turn comes', async () => {
    const [, second, third] = await arrive(newMail(), newMail(), newMail())
    await server.removeFirst()
    there.shift()
    reading.watch(server.settings)
    expect(await reading.kept(2)).toEqual([second, third])
  })

  it('has only the head kept of a mail over 25 MiB, with its size', { timeout: 60_000 }, async () => {
    const large = newMail(25 * 1024 * 1024)
    await arrive(large)
    const [small] = await arrive(newMail())
    reading.watch(server.settings)
    const [head, next] = await reading.kept(2)
    expect(next).toBe(small)
    const [row] = await reading.rows()
    expect(row).toMatchObject({ headOnly: true, size: large.length })
    const kept = (await reading.bytes(head ?? '')).toString()
    expect(kept).toMatch(/^From: ada@example\.com\r\n[\s\S]*\r\n\r\n$/)
    expect(kept).not.toContain('It has not arrived')
  })

  it('is read by one process at a time, and by the next when that one goes', async () => {
    await arrive(newMail())
    const pace = { ...PACE, lease: 300 }
    const first = reading.watch(server.settings, { pace })
    await reading.kept(1)
    const second = reading.watch(server.settings, { pace })
    await arrive(newMail())
    await reading.kept(2)
    expect(second.age).toBeNull()
    expect(first.age).not.toBeNull()
    await first.stop()
    const third = await arrive(newMail())
    expect((await reading.kept(3)).slice(2)).toEqual(third)
    await until(() => second.age !== null)
  })

  it('has nothing doubled by a process that stalls with a mail in its hands, and wakes up', async () => {
    const mails = await arrive(newMail(), newMail())
    const pace = { ...PACE, lease: 300 }
    const stalled = Promise.withResolvers<boolean>()
    const holds = Promise.withResolvers<void>()
    const { blobs, database } = reading
    let asleep = false
    const sleeper = reading.watch(server.settings, {
      pace,
      // It does not even renew its lease.
      database: {
        run: (ms, work) => (asleep ? Promise.reject(new Error('asleep')) : database.database.run(ms, work)),
      },
      blobs: {
        async put(sha256, bytes) {
          await blobs.put(sha256, bytes)
          asleep = true
          holds.resolve()
          return await stalled.promise
        },
      },
    })
    await holds.promise
    reading.watch(server.settings, { pace })
    expect(await reading.kept(2)).toEqual(mails)
    asleep = false
    stalled.resolve(true)
    await sleeper.stop()
    expect(await reading.rows()).toHaveLength(2)
  })

  it('waits for a server that is away, and comes back to it', async () => {
    proxy.cut()
    const gone = await startFaultProxy(1)
    const watch = reading.watch({ ...server.settings, port: gone.port })
    await until(() => gone.connections() > 2)
    expect(watch.age).toBe(Infinity)
    expect(reading.logged()).toMatch(/imap_broken/)
    await gone.close()
  })

  it('says nothing of what was written in the log', async () => {
    await arrive(newMail())
    reading.watch(server.settings)
    await reading.kept(1)
    expect(reading.logged()).toContain('imap_mail_kept')
    expect(reading.logged()).not.toMatch(/Canary|ada@|secret|"support/)
  })
}
