import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBellhop, type TestBellhop } from '../bellhop.ts'
import { type CutDatabase, lineTo } from './cut-database.ts'

let whole: TestBellhop
let line: CutDatabase
let bellhop: TestBellhop
beforeAll(async () => {
  whole = await startBellhop()
  line = await lineTo(whole.endpoint)
  bellhop = await startBellhop({ beside: { ...whole, endpoint: line.endpoint } })
})
afterAll(async () => {
  await bellhop.stop()
  await line.stop()
  await whole.stop()
})

const statusOf = async (path: string) => (await bellhop.ask(path, { headers: { authorization: '' } })).status

test('all is well: alive, and ready for a ticket', async () => {
  expect((await bellhop.ask('/healthz')).body).toEqual({ status: 'alive' })
  expect((await bellhop.ask('/readyz')).body).toEqual({ status: 'ready' })
})

describe('the database goes and comes back, and nobody has to start anything', () => {
  test.each<[string, () => unknown]>([
    ['its connections break', () => line.cut()],
    ['it says nothing more', () => line.silence()],
  ])('%s: 503 meanwhile', async (_how, goes) => {
    const { body: kept } = await bellhop.file()
    const path = `/v1/support/tickets/${kept.ticket_id}`
    await goes()
    const asked = [bellhop.file(), bellhop.ask(path), bellhop.ask('/readyz')]
    expect(await statusOf('/healthz')).toBe(200)
    for (const answer of await Promise.all(asked)) {
      expect([answer.status, answer.body.error]).toEqual([503, 'unavailable'])
      expect(answer.body.message).not.toMatch(/test_|sock|ECONN|pg_|line/i)
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    }
    await line.mend()
    await expect.poll(() => statusOf('/readyz'), { timeout: 20_000 }).toBe(200)
    expect((await bellhop.file()).status).toBe(201)
    expect((await bellhop.ask(path)).status).toBe(200)
  })

  test('and what it is asked for is missing from the metrics, and nothing else', async () => {
    await line.cut()
    const started = performance.now()
    const meanwhile = await bellhop.ask('/metrics')
    expect(meanwhile.status).toBe(200)
    expect(performance.now() - started).toBeLessThan(5000)
    expect(meanwhile.text).toContain('bellhop_http_request_duration_seconds_count')
    expect(meanwhile.text).not.toMatch(/^bellhop_blob_bytes /m)
    await line.mend()
    await expect
      .poll(async () => (await bellhop.ask('/metrics')).text, { timeout: 20_000 })
      .toMatch(/^bellhop_blob_bytes 0$/m)
  })
})
