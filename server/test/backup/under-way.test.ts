import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BlobFolder } from '../../src/blobs/blob-folder.ts'
import { startBellhop, TICKET } from '../bellhop.ts'
import { until } from '../database/embedded/processes.ts'
import { type BackupScene, onDatabase, setBackupScene } from './backup-scene.ts'
import { AWKWARD, backUpTo, bringBack, fillDatabase } from './filled.ts'

let scene: BackupScene
beforeEach(async () => {
  scene = await setBackupScene()
})
afterEach(() => scene.stop())

test('what was under way is uncertain, and due at once', async () => {
  await fillDatabase(scene.source.sql, scene.blobs)
  await scene.source.sql`UPDATE deliveries SET state = 'leased', locked_by = 'somebody', attempts = 2,
    due_at = now() + interval '30 seconds' WHERE state = 'pending'`
  await backUpTo(scene.from())
  expect(await bringBack(scene.into())).toMatchObject({ uncertain: 3, undelivered: 3 })
  const deliveries = await scene.target.sql`
    SELECT state, attempts, due_at <= now() AS due FROM deliveries WHERE state IN ('pending', 'leased')`
  expect(deliveries).toEqual(Array(3).fill({ state: 'pending', attempts: 2, due: true }))
  const attempts = await scene.target
    .sql`SELECT number, outcome, code, locked_by FROM attempts WHERE code = 'restored'`
  expect(attempts).toEqual(
    Array(3).fill({ number: 2, outcome: 'uncertain', code: 'restored', locked_by: 'somebody' }),
  )
})

test('a mail that was being settled is settled now, and the attempt does not count', async () => {
  await fillDatabase(scene.source.sql, scene.blobs)
  const waiting = await scene.source.sql`UPDATE inbound_mails SET locked_by = 'somebody', attempts = 1,
    due_at = now() + interval '60 seconds' WHERE state = 'received' RETURNING id`
  await backUpTo(scene.from())
  await bringBack(scene.into())
  const mails = await scene.target.sql`
    SELECT attempts, locked_by, due_at <= now() AS due, sha256 IN (SELECT sha256 FROM blobs) AS raw
    FROM inbound_mails WHERE state = 'received' AND sha256 IS NOT NULL`
  expect(waiting.length).toBeGreaterThan(1)
  expect(mails.length).toBeGreaterThan(1)
  expect(mails).toEqual(mails.map(() => ({ attempts: 0, locked_by: null, due: true, raw: true })))
})

test('a mailbox that was being read goes on where it was, and nobody waits for who read it', async () => {
  await fillDatabase(scene.source.sql, scene.blobs)
  await scene.source
    .sql`UPDATE imap_cursors SET locked_by = 'somebody', lease_until = now() + interval '1 hour', last_uid = 42`
  await backUpTo(scene.from())
  await bringBack(scene.into())
  const [row] = await scene.target.sql`
    SELECT bool_and(locked_by IS NULL AND lease_until <= now()) AS free, min(last_uid)::int AS last FROM imap_cursors`
  expect(row).toEqual({ free: true, last: 42 })
})

test('audit entries are numbered by the transactions of the cluster that they are in', async () => {
  await fillDatabase(scene.source.sql, scene.blobs)
  await backUpTo(scene.from())
  await bringBack(scene.into())
  const [row] = await scene.target.sql`
    SELECT count(*)::int AS count, bool_and(xid < pg_current_xact_id()) AS before, count(DISTINCT xid)::int AS xids
    FROM audit_entries`
  expect(row).toEqual({ count: AWKWARD.length, before: true, xids: 1 })
})

test('what waits is tried for at least a day after the restore, however old the archive is', async () => {
  await fillDatabase(scene.source.sql, scene.blobs)
  await scene.source.sql`UPDATE deliveries SET give_up_at = now() - interval '40 days'`
  await scene.source.sql`UPDATE deliveries SET state = 'leased', locked_by = 'somebody', attempts = 2
    WHERE id = (SELECT id FROM deliveries WHERE state = 'pending' LIMIT 1)`
  await backUpTo(scene.from())
  await bringBack(scene.into())
  const left = await scene.target.sql`
    SELECT state = 'pending' AS waits, min(give_up_at) > now() + interval '23 hours' AS left
    FROM deliveries GROUP BY 1 ORDER BY 1`
  expect(left).toEqual([
    { waits: false, left: false },
    { waits: true, left: true },
  ])
})

test('while tickets come in, an archive is of one moment', { timeout: 60_000 }, async () => {
  const bellhop = await startBellhop()
  try {
    const attachment = { filename: 'a.txt', content_base64: Buffer.from('the same').toString('base64') }
    const acknowledged: unknown[] = []
    let filing = true
    const callers = Array.from({ length: 4 }, async (_, caller) => {
      for (let number = 0; filing; number++) {
        const body = `${caller} ${number}`
        const answer = await bellhop.file({ ...TICKET, body, attachment })
        expect(answer.status).toBe(201)
        acknowledged.push(answer.body.ticket_id)
      }
    })
    for (let round = 0; round < 5; round++) {
      await until(() => acknowledged.length > round * 20)
      const before = [...acknowledged]
      const round_ = {
        ...scene.from(),
        endpoint: bellhop.endpoint,
        file: join(scene.folder, `${round}.tar.zst`),
      }
      await backUpTo({ ...round_, blobs: new BlobFolder(join(bellhop.dataDir, 'blobs')) })
      const endpoint = await scene.target.createDatabase()
      await bringBack({ endpoint, blobs: scene.elsewhere(`restored-${round}`), file: round_.file })
      await onDatabase(endpoint, async (sql) => {
        const rows = await sql<{ ticket: string; whole: boolean }[]>`
          SELECT 'tkt_' || replace(t.id::text, '-', '') AS ticket,
            count(m.id) = 1 AND count(d.id) = 1 AND count(a.id) = 1 AND count(e.id) = 1 AS whole
          FROM tickets t LEFT JOIN messages m ON m.ticket_id = t.id LEFT JOIN deliveries d ON d.message_id = m.id
          LEFT JOIN attachments a ON a.message_id = m.id LEFT JOIN audit_entries e ON e.ticket_id = t.id
          GROUP BY t.id`
        expect(rows.filter(({ whole }) => !whole)).toEqual([])
        const tickets = new Set(rows.map(({ ticket }) => ticket))
        expect(before.filter((ticket) => !tickets.has(String(ticket)))).toEqual([])
      })
    }
    filing = false
    await Promise.all(callers)
  } finally {
    await bellhop.stop()
  }
})
