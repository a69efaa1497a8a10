import fastify, { type FastifyInstance } from 'fastify'
import { afterEach, expect, test } from 'vitest'
import { docsRoutes, type Page } from '../../src/http/docs.ts'

const open: FastifyInstance[] = []
afterEach(async () => {
  for (const app of open.splice(0)) await app.close()
})

async function serve(load?: () => Promise<Page>): Promise<FastifyInstance> {
  const app = fastify()
  open.push(app)
  await app.register(docsRoutes({ openapi: '3.1.0' }, load))
  return app
}

test('the page and its script are served from here', async () => {
  const app = await serve()
  for (const path of ['/docs', '/docs/']) {
    const page = await app.inject(path)
    expect([page.statusCode, page.headers['content-type']]).toEqual([
      200,
      expect.stringMatching(/^text\/html/),
    ])
    expect(page.body).toContain('/docs/js/scalar.js')
  }
  const script = await app.inject('/docs/js/scalar.js')
  expect(script.statusCode).toBe(200)
  expect(script.headers['content-type']).toMatch(/javascript/)
  expect(script.rawPayload.length).toBeGreaterThan(1_000_000)
})

test('what could not be loaded once is there for who asks next, and is then loaded no more', async () => {
  let loads = 0
  const app = await serve(async () => {
    loads++
    if (loads === 1) throw new Error('the disk was away')
    return new Map([['/docs', { type: 'text/html', bytes: Buffer.from('a page') }]])
  })
  expect((await app.inject('/docs')).statusCode).toBe(500)
  for (let round = 0; round < 3; round++) expect((await app.inject('/docs')).body).toBe('a page')
  expect(loads).toBe(2)
})
