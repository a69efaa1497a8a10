import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { AttemptResult, Connector, OutgoingAttachment } from '../../src/connectors/connector.ts'
import { AttachmentBytes } from '../../src/deliveries/attachment-bytes.ts'
import { type AttemptMeasure, Carrier } from '../../src/deliveries/carrier.ts'
import type { Job } from '../../src/deliveries/job.ts'
import { fromId } from '../../src/ids.ts'
import { createLog } from '../../src/log.ts'
import { startBellhop } from '../bellhop.ts'
import { outgoingMessage } from '../connectors/outgoing-message.ts'
import { until } from '../database/embedded/processes.ts'
import { mailBrand, startMailDesk } from './mail-desk.ts'
import { endsOf } from './rows.ts'
import { queueTickets } from './waiting.ts'

test("files that cannot be read are the disk's fault: nothing is sent, and the desk is not left alone", async () => {
  const desk = await startMailDesk()
  const bellhop = await startBellhop({ brands: (issuer) => [mailBrand('acme', issuer, desk)] })
  try {
    await bellhop.sql`INSERT INTO blobs (sha256, size) VALUES (sha256('lost'), 4)`
    const waiting = await queueTickets(bellhop.sql, 'acme', 6, async (sql, message) => {
      await sql`
        INSERT INTO attachments (brand_id, id, message_id, filename, sha256)
        VALUES ('acme', gen_random_uuid(), ${fromId('msg', message)}, 'photo.jpg', sha256('lost'))`
    })
    for (const message of waiting)
      await until(async () => (await endsOf(bellhop.sql, message))[0] === 'retry attachment_unreadable')
    expect((await bellhop.file()).body.status).toBe('sent')
    expect(desk.mails).toHaveLength(1)
    expect((await bellhop.ask('/metrics')).text).toMatch(
      /^bellhop_delivery_alarms_total\{brand="acme"\} ([6-9]|\d\d)/m,
    )
    expect(bellhop.logged()).not.toContain('photo.jpg')
  } finally {
    await bellhop.stop()
    await desk.close()
  }
})

describe('attachments in hand at once', () => {
  let reading: string[]
  let ends: Map<string, () => void>
  let measured: AttemptMeasure[]
  let carrier: Carrier
  beforeEach(async () => {
    reading = []
    ends = new Map()
    measured = []
    const connector: Connector = {
      name: 'held',
      atCommit: false,
      async send(message) {
        const { promise, resolve } = Promise.withResolvers<void>()
        ends.set(message.messageId, resolve)
        for (const file of message.attachments) await file.read()
        await promise
        return DELIVERED
      },
      verify: async () => ({ ok: true, detail: '' }),
      close: async () => {},
    }
    carrier = new Carrier({
      outlets: [{ brandId: 'acme', side: 'desk', connector, mailDomain: null }],
      store: {
        finish: async (end) => (end.next === 'delivered' ? 'delivered' : 'pending'),
        renew: async (leases) => new Set(leases.map(({ deliveryId }) => deliveryId)),
        release: async () => {},
      },
      log: createLog({ level: 'silent', pretty: false, stream: { write: () => {} } }),
      observe: (attempt) => measured.push(attempt),
      random: Math.random,
      now: () => performance.now(),
      pass: () => {},
      attachmentBytes: new AttachmentBytes(100),
    })
  })
  afterEach(async () => {
    await carrier.close(0, Promise.resolve())
  })

  const carry = (name: string, size: number) => {
    const job = jobOf(name, size, () => reading.push(name))
    return carrier.carry(job, carrier.occupy('acme', 'desk'))
  }
  const end = (name: string) => ends.get(name)?.()

  test('are bounded: who finds no room waits in line, and no file of it is read', async () => {
    const first = carry('first', 60)
    const second = carry('second', 60)
    const third = carry('third', 30)
    await until(() => ends.has('first'))
    expect(reading).toEqual(['first'])
    expect(carrier.take('acme', 'desk', 30)).toBeNull()
    // What has none is not held up.
    const plain = carry('plain', 0)
    await until(() => ends.has('plain'))
    end('plain')
    expect(await plain).toBe('delivered')
    end('first')
    await first
    await until(() => ends.has('second') && ends.has('third'))
    expect(reading).toEqual(['first', 'second', 'third'])
    end('second')
    end('third')
    expect(await Promise.all([second, third])).toEqual(['delivered', 'delivered'])
    const place = carrier.take('acme', 'desk', 100)
    expect(place?.bytes).toBe(100)
    expect(carrier.take('acme', 'desk', 1)).toBeNull()
    if (place) carrier.leave(place)
    expect(carrier.take('acme', 'desk', 1)).not.toBeNull()
  })

  test('may be one message alone, whatever its size', async () => {
    const huge = carry('huge', 500)
    await until(() => ends.has('huge'))
    end('huge')
    expect(await huge).toBe('delivered')
  })

  test('are not waited for by who is told to stop', async () => {
    const first = carry('first', 60)
    const second = carry('second', 60)
    await until(() => ends.has('first'))
    const closed = carrier.close(50, Promise.resolve())
    expect(await second).toBe('pending')
    expect(measured).toMatchObject([{ deliveryId: 'second', outcome: 'retry', code: 'aborted' }])
    expect(reading).toEqual(['first'])
    end('first')
    expect(await first).toBe('delivered')
    await closed
  })
})

const DELIVERED: AttemptResult = {
  outcome: 'delivered',
  code: 'held',
  answer: null,
  retryAfter: null,
  alarm: false,
}

function jobOf(name: string, size: number, read: () => void): Job {
  const file: OutgoingAttachment = {
    attachmentId: 'att_1',
    filename: 'a',
    contentType: 'application/octet-stream',
    size,
    sha256: '',
    async read() {
      read()
      return Buffer.alloc(size)
    },
  }
  return {
    brandId: 'acme',
    deliveryId: name,
    attempt: 1,
    retriedAfter: 0,
    refused: null,
    message: outgoingMessage({
      messageId: name,
      attachments: size === 0 ? [] : [file],
    }),
  }
}
