import { type ClientRequest, request } from 'node:http'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startBellhop, type TestBellhop } from '../../bellhop.ts'
import { until } from '../../database/embedded/processes.ts'
import { aMail, brandsWithSecret, signed } from './signed-request.ts'

const MIB = 1024 * 1024

let bellhop: TestBellhop
beforeAll(async () => {
  bellhop = await startBellhop({ brands: brandsWithSecret, roles: { api: true, worker: false } })
})
afterAll(() => bellhop.stop())

/** Begins a request that nobody can have signed, sends so many bytes of it, and no more. */
function begin(brand: string, bytes: number): ClientRequest & { status?: number | undefined } {
  const started: ClientRequest & { status?: number | undefined } = request(
    `${bellhop.url}/v1/inbound/${brand}`,
    {
      method: 'POST',
      headers: { ...signed(Buffer.from('another mail')), 'content-length': String(25 * MIB) },
    },
  )
  started.on('error', () => {})
  started.on('response', (response) => {
    started.status = response.statusCode
    response.resume()
  })
  started.write(Buffer.alloc(bytes, 'x'))
  return started
}

function bring(brand = 'acme'): ReturnType<TestBellhop['ask']> {
  const raw = aMail()
  return bellhop.ask(`/v1/inbound/${brand}`, {
    method: 'POST',
    headers: { ...signed(raw), authorization: '' },
    body: new Uint8Array(raw),
  })
}

it('bounds what strangers make the server hold, and keeps neither small mails nor tickets out', {
  timeout: 30_000,
}, async () => {
  const strangers = Array.from({ length: 12 }, () => begin('stranger', 20 * MIB))
  await until(() => strangers.some(({ status }) => status === 503))
  expect((await bring()).status).toBe(201)
  expect((await bellhop.file()).status).toBe(201)
  for (const stranger of strangers) stranger.destroy()
})

it('gives no brand more places than it has, whether there is such a brand or not', {
  timeout: 30_000,
}, async () => {
  for (const brand of ['acme', 'nobody']) {
    const strangers = Array.from({ length: 128 }, () => begin(brand, 1))
    await until(async () => (await bring(brand)).status === 503)
    const full = await bring(brand)
    expect(full.headers.get('retry-after')).toBe('1')
    expect((await bellhop.file()).status).toBe(201)
    for (const stranger of strangers) stranger.destroy()
    // Who hung up has given the places back.
    await until(async () => (await bring(brand)).status !== 503)
  }
})
