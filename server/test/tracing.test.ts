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

/** The exporter reads where to send to from the process's own environment. */
async function withEnvironment(env: Record<string, string>, work: () => Promise<void>): Promise<void> {
  const before = Object.keys(env).map((name) => [name, process.env[name]] as const)
  Object.assign(process.env, env)
  try {
    await work()
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}

test("a request joins its caller's trace, and the trace holds ids and nothing that was written", async () => {
  const collector = await startCollector()
  await withEnvironment(collector.env, async () => {
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
  })
  await collector.close()
})

test('nothing is traced unless the environment says where to', async () => {
  const collector = await startCollector()
  const record = async (env: NodeJS.ProcessEnv) => {
    const tracing = await startTracing(env, '0.0.0')
    tracing.record({ name: 'x', kind: 'request', ms: 1, attributes: {}, failed: false })
    await tracing.close()
    return collector.received().length
  }
  await withEnvironment(collector.env, async () => {
    expect(await record({})).toBe(0)
    expect(await record({ ...collector.env, OTEL_SDK_DISABLED: 'true' })).toBe(0)
    expect(await record({ ...collector.env, OTEL_TRACES_EXPORTER: 'none' })).toBe(0)
    expect(await record(collector.env)).toBeGreaterThan(0)
  })
  await collector.close()
})
