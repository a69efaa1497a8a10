import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { startTracing } from '../src/tracing.ts'
import { startBellhop } from './bellhop.ts'

/** A collector of OTLP over HTTP; protobuf keeps texts as they are, so that they can be searched for. */
async function startCollector() {
  const received: Buffer[] = []
  const server = createServer(async (request, response) => {
    for await (const chunk of request) received.push(chunk)
    response.setHeader('content-type', 'application/x-protobuf').end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}` },
    received: () => Buffer.concat(received),
    close: () => new Promise((resolve) => server.close(resolve)),
  }
}

test("a request joins its caller's trace, and the trace holds ids and nothing that was written", async () => {
  const collector = await startCollector()
  // The exporter reads where to send to from the environment itself.
  Object.assign(process.env, collector.env)
  const bellhop = await startBellhop({ env: process.env })
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
  const filed = await bellhop.file(
    { subject: 'canary-subject', body: 'canary-body' },
    { traceparent: `00-${traceId}-00f067aa0ba902b7-01` },
  )
  await bellhop.stop()
  const spans = collector.received()
  expect(spans.includes('POST /v1/support/tickets')).toBe(true)
  expect(spans.includes(Buffer.from(traceId, 'hex'))).toBe(true)
  expect(spans.includes(String(filed.body.ticket_id))).toBe(true)
  for (const canary of ['canary', 'ada@example.com', 'Lovelace', 'per_ada'])
    expect(spans.includes(canary)).toBe(false)
  delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT
  await collector.close()
})

test('nothing is traced unless the environment says where to', async () => {
  const collector = await startCollector()
  const off = [
    {},
    { ...collector.env, OTEL_SDK_DISABLED: 'true' },
    { ...collector.env, OTEL_TRACES_EXPORTER: 'none' },
  ]
  for (const env of off) {
    const tracing = await startTracing(env, '0.0.0')
    tracing.record({ name: 'x', kind: 'request', ms: 1, attributes: {}, failed: false })
    await tracing.close()
  }
  expect(collector.received()).toHaveLength(0)
  await collector.close()
})
