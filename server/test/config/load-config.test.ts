import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config.ts'
import { brandsFolder, linesOf, SECRETS, WRITTEN } from './brands-folder.ts'

test('with a brands file, its brands are served on any address, and the demo does not exist', async () => {
  await using folder = await brandsFolder()
  const brands = await folder.read(WRITTEN)
  const config = await loadConfig({
    ...SECRETS,
    BRANDS_FILE: folder.path,
    HOST: '0.0.0.0',
    DATA_DIR: `${folder.folder}/data`,
  })
  expect(config).toMatchObject({ demo: false, environment: { host: '0.0.0.0', brandsFile: folder.path } })
  expect(config.brands).toEqual(brands)
})

test('without one, two demo brands are answered in the inbox', async () => {
  await using folder = await brandsFolder()
  const { brands, demo } = await loadConfig({ DATA_DIR: `${folder.folder}/data` })
  expect(demo).toBe(true)
  expect(brands.brands.map(({ id, desk, wait }) => [id, desk, wait])).toEqual([
    ['acme', { connector: 'inbox' }, 2000],
    ['globex', { connector: 'inbox' }, 2000],
  ])
  expect(brands.brands.every((brand) => brand.ticketsPerMinute === 0)).toBe(true)
})

test.each(['0.0.0.0', '::', '192.168.0.7', 'bellhop.example', '::ffff:127.0.0.1'])(
  'the demo refuses to listen on %s',
  async (host) => {
    await using folder = await brandsFolder()
    const lines = await linesOf(loadConfig({ HOST: host, DATA_DIR: folder.folder }))
    expect(lines).toEqual([expect.stringMatching(/^HOST: expected a loopback address/)])
  },
)

test.each(['127.0.0.1', '127.1.2.3', '::1', 'localhost'])('the demo listens on %s', async (host) => {
  await using folder = await brandsFolder()
  expect((await loadConfig({ HOST: host, DATA_DIR: folder.folder })).demo).toBe(true)
})

test('a brands file that is not there stops the start, and the demo does not take its place', async () => {
  await using folder = await brandsFolder()
  expect(await linesOf(loadConfig({ BRANDS_FILE: folder.path }), `${folder.folder}/`)).toEqual([
    'brands.yaml: expected a file that can be read (ENOENT)',
  ])
})
