import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Database, openDatabase } from '../../../src/database/pool.ts'
import { createReadingPool } from '../../../src/inbound/reading/reading-pool.ts'
import { claimMails, postponeMail } from '../../../src/inbound/settle.store.ts'
import { Settler, type SettlerDeps } from '../../../src/inbound/settler.ts'
import { createLog } from '../../../src/log.ts'
import { until } from '../../database/embedded/processes.ts'
import { AUTHSERV, anEmail } from './an-email.ts'
import {
  endOf,
  type OpenedTicket,
  quarantineOf,
  type SettleScene,
  saidOn,
  setSettleScene,
  signed,
} from './settle-scene.ts'

let scene: SettleScene
let ticket: OpenedTicket
const running: Settler[] = []
const pools: Database[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((settler) => settler.stop()))
  await Promise.all(pools.splice(0).map((pool) => pool.close()))
  await scene.stop()
})

/** A process that settles, with a pool of its own. */
function startSettler(what: Partial<SettlerDeps> = {}): Settler {
  const database = openDatabase(scene.database.endpoint, { max: 4, applicationName: 'vitest' })
  pools.push(database)
  const settler = new Settler({
    ...scene.deps,
    database,
    holder: randomBytes(4).toString('hex'),
    brands: scene.conversation.brands,
    reading: createReadingPool({ resolve: nothingThere }),
    log: createLog({ level: 'silent', pretty: false }),
    random: Math.random,
    observe: () => {},
    onPromise: () => {},
    ...what,
  })
  running.push(settler)
  settler.start()
  return settler
}

async function nothingThere(): Promise<never> {
  throw Object.assign(new Error('nothing there'), { code: 'ENODATA' })
}

const waiting = async () => (await scene.sql`SELECT FROM inbound_mails WHERE state = 'received'`).length

describe('processes that settle', () => {
  beforeEach(async () => {
    scene = await setSettleScene()
    ticket = await scene.open('acme')
  })

  it('share the work: each mail is settled once, and the same mail that came twice is said once', async () => {
    const settled: string[] = []
    // Whose mails come faster than twenty within the hour are a loop, so they are of many.
    const raws = Array.from({ length: 30 }, (_, n) =>
      anEmail({ from: `p${n}@example.com`, messageId: `<m${n}@example.com>` }),
    )
    for (const raw of [...raws, ...raws]) await scene.bring('acme', raw)
    const observe: SettlerDeps['observe'] = ({ as }) => void settled.push(as)
    startSettler({ observe })
    startSettler({ observe })
    await until(async () => (await waiting()) === 0)
    await until(async () => settled.length === 60)
    expect(settled.sort()).toEqual([...Array(30).fill('duplicate'), ...Array(30).fill('new_ticket')])
    const [row] = await scene.sql`SELECT count(*)::int AS messages FROM messages WHERE via = 'mail'`
    expect(row).toEqual({ messages: 30 })
  })

  it('wake a worker where there is something to carry', async () => {
    let promises = 0
    const settler = startSettler({ onPromise: () => void promises++ })
    await scene.bring('acme', anEmail({ to: signed(ticket) }))
    settler.wake()
    await until(async () => promises === 1)
  })

  it('give back what they have when they stop', async () => {
    const reading = createReadingPool({ resolve: () => new Promise(() => {}), dnsMs: 60_000 })
    const settler = startSettler({ reading })
    const mailId = await scene.bring(
      'acme',
      Buffer.from('From: ada@example.com\r\nTo: support@acme.example\r\n\r\nHello\r\n'),
    )
    settler.wake()
    await until(
      async () => (await scene.sql`SELECT FROM inbound_mails WHERE locked_by IS NOT NULL`).length === 1,
    )
    running.splice(0)
    await settler.stop()
    const [row] =
      await scene.sql`SELECT locked_by, failures, due_at <= now() AS due FROM inbound_mails WHERE id = ${mailId}`
    expect(row).toEqual({ locked_by: null, failures: 0, due: true })
    startSettler()
    await until(async () => (await waiting()) === 0)
  })

  it('a stalled one that wakes up settles nothing that another has taken over', async () => {
    const mailId = await scene.bring('acme', anEmail({ to: signed(ticket) }))
    const { deps } = scene
    const overtake = async () => {
      await scene.sql`UPDATE inbound_mails SET due_at = now()`
      await claimMails(scene.sql, 'another', ['acme'], 1)
    }
    const put = deps.reading
    deps.reading = {
      read: async (...args) => {
        const read = await put.read(...args)
        await overtake()
        return read
      },
    }
    expect(await scene.settleNext()).toEqual({ as: 'lost' })
    deps.reading = put
    expect(await saidOn(scene.sql, ticket)).toEqual([])
    expect((await scene.line(mailId)).settledAs).toBeNull()
  })
})

describe('a mail that takes its processes down', () => {
  beforeEach(async () => {
    scene = await setSettleScene()
    ticket = await scene.open('acme')
  })

  it('is quarantined and not read, after five of them died with it in hand', async () => {
    const mailId = await scene.bring('acme', anEmail({ to: signed(ticket) }))
    for (const holder of ['one', 'two', 'three', 'four', 'five']) {
      expect((await scene.line(mailId)).settledAs).toBeNull()
      expect(await claimMails(scene.sql, holder, ['acme'], 1)).toHaveLength(1)
      // It is killed, and its lease runs out.
      await scene.sql`UPDATE inbound_mails SET due_at = now() WHERE id = ${mailId}`
    }
    scene.deps.reading = { read: () => Promise.reject(new Error('it was read')) }
    await scene.settleNext()
    expect(endOf(await scene.line(mailId))).toBe('quarantined unreadable_failed')
  })

  it('counts what a mail breaks, and not what is away', async () => {
    const mailId = await scene.bring('acme', anEmail({ to: signed(ticket) }))
    const failures = async () => {
      const [row] = await scene.sql`SELECT failures FROM inbound_mails WHERE id = ${mailId}`
      return row?.failures
    }
    const [claimed] = await claimMails(scene.sql, 'one', ['acme'], 1)
    if (claimed === undefined) throw new Error('no mail')
    await postponeMail(scene.sql, 'one', claimed, 0, false)
    expect(await failures()).toBe(0)
    const settler = startSettler({
      blobs: { ...scene.blobs, read: () => Promise.reject(new Error('a bug')), put: async () => true },
    })
    settler.wake()
    await until(async () => (await failures()) === 1)
  })

  it('is read three times where the machine may be why it was not read in time', async () => {
    const late = { unreadable: 'too_slow', again: true } as const
    const mailId = await scene.bring('acme', anEmail({ to: signed(ticket) }))
    const luckier = await scene.bring('globex', anEmail({ to: 'support@globex.example' }))
    const reading = createReadingPool({ resolve: nothingThere })
    const tries = new Map<string, number>()
    const settler = startSettler({
      reading: {
        ...reading,
        read: async (raw, options) => {
          const brand = String(raw).includes('globex') ? 'globex' : 'acme'
          tries.set(brand, (tries.get(brand) ?? 0) + 1)
          return brand === 'acme' || tries.get(brand) === 1 ? late : reading.read(raw, options)
        },
      },
    })
    await until(async () => {
      await scene.sql`UPDATE inbound_mails SET due_at = now() WHERE state = 'received' AND locked_by IS NULL`
      settler.wake()
      return (await waiting()) === 0
    })
    expect(endOf(await scene.line(mailId))).toBe('quarantined unreadable_too_slow')
    expect(endOf(await scene.line(luckier))).toBe('new_ticket')
    expect([tries.get('acme'), tries.get('globex')]).toEqual([3, 2])
  })

  it('waits where its bytes cannot be read, and is settled once they are there', async () => {
    const mailId = await scene.bring('acme', anEmail({ to: signed(ticket) }))
    const { sha256 } = await scene.line(mailId)
    const raw = await scene.blobs.read(sha256 ?? '')
    await scene.blobs.remove(sha256 ?? '')
    const settler = startSettler()
    await until(async () => {
      const [row] = await scene.sql`SELECT attempts, locked_by, failures FROM inbound_mails`
      return row?.attempts === 1 && row.locked_by === null && row.failures === 0
    })
    await scene.blobs.put(sha256 ?? '', raw)
    await scene.sql`UPDATE inbound_mails SET due_at = now()`
    settler.wake()
    await until(async () => (await waiting()) === 0)
    expect(endOf(await scene.line(mailId))).toBe('reply')
  })
})

describe('DNS that does not answer', () => {
  const isAway = { now: true }
  beforeEach(async () => {
    isAway.now = true
    scene = await setSettleScene({
      resolve: async () => {
        throw Object.assign(new Error('no answer'), { code: isAway.now ? 'ESERVFAIL' : 'ENODATA' })
      },
    })
    ticket = await scene.open('acme')
  })
  /** Its mail server says nothing of it. */
  const unjudged = () =>
    Buffer.from(String(anEmail({ to: signed(ticket) })).replace(AUTHSERV, 'another.example'))

  it('is asked again, and then it is told', async () => {
    const mailId = await scene.bring('acme', unjudged())
    expect(await scene.settleNext()).toEqual({ as: 'later' })
    isAway.now = false
    await scene.sql`UPDATE inbound_mails SET due_at = now()`
    await scene.settleNext()
    expect(endOf(await scene.line(mailId))).toBe('quarantined not_authenticated')
  })

  it('for a day, and then the mail is quarantined', async () => {
    const mailId = await scene.bring('acme', unjudged())
    await scene.sql`UPDATE inbound_mails SET received_at = now() - interval '25 hours'`
    // Also after the worker was away for longer, so many looks are had.
    for (const _ of [1, 2]) {
      expect(await scene.settleNext()).toEqual({ as: 'later' })
      await scene.sql`UPDATE inbound_mails SET due_at = now()`
    }
    await scene.settleNext()
    expect(endOf(await scene.line(mailId))).toBe('quarantined authentication_unknown')
    expect(await quarantineOf(scene.sql)).toEqual(['authentication_unknown'])
  })

  it('keeps no other brand’s mail, however many wait for it', { timeout: 60_000 }, async () => {
    const silence = { resolve: () => new Promise(() => {}), dnsMs: 600_000, allDnsMs: 600_000 }
    const settler = startSettler({ reading: createReadingPool({ ...silence, threads: 2, mostThreads: 4 }) })
    for (let n = 0; n < 14; n++)
      await scene.bring('acme', anEmail({ from: `a@quiet${n}.example`, verdict: 'fail' }))
    settler.wake()
    await until(
      async () => (await scene.sql`SELECT FROM inbound_mails WHERE locked_by IS NOT NULL`).length >= 8,
    )
    const mailId = await scene.bring('globex', anEmail({ to: 'support@globex.example' }))
    settler.wake()
    await until(async () => (await scene.line(mailId)).settledAs === 'new_ticket')
    expect(await waiting()).toBe(14)
  })

  it('is waited for by the settler, without a fault of the mail', async () => {
    await scene.bring('acme', unjudged())
    startSettler({
      reading: createReadingPool({
        resolve: async () => {
          throw Object.assign(new Error('no answer'), { code: 'ESERVFAIL' })
        },
      }),
    })
    await until(async () => {
      const [row] = await scene.sql`
        SELECT attempts, locked_by, failures, due_at > now() + interval '10 seconds' AS later FROM inbound_mails`
      return row?.attempts === 1 && row.locked_by === null && row.later && row.failures === 0
    })
  })
})
