import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readDatabaseUrl } from '../../src/database/database-url.ts'
import { OperatorError } from '../../src/errors.ts'

const tcp = (host: string, port: number) => ({ kind: 'tcp', host, port })
const unix = (path: string) => ({ kind: 'unix', path })

describe('a DATABASE_URL as operators paste it', () => {
  test.each([
    ['postgres://u:p@db.example/bellhop', [tcp('db.example', 5432)]],
    ['postgresql://u@db.example:6432/bellhop', [tcp('db.example', 6432)]],
    ['postgres://u@a:5433,b,c:5435/bellhop', [tcp('a', 5433), tcp('b', 5432), tcp('c', 5435)]],
    ['postgres://u@[2001:db8::1]:5433/bellhop', [tcp('2001:db8::1', 5433)]],
    ['postgres://u@[::1],b:1/bellhop', [tcp('::1', 5432), tcp('b', 1)]],
    ['postgres://u@/bellhop?host=/run/postgresql', [unix('/run/postgresql/.s.PGSQL.5432')]],
    ['postgres://u@/bellhop?host=/run/postgresql&port=6000', [unix('/run/postgresql/.s.PGSQL.6000')]],
    ['postgres://u@%2Frun%2Fpostgresql/bellhop', [unix('/run/postgresql/.s.PGSQL.5432')]],
    ['postgres://u@/bellhop?host=a,b&port=1,2', [tcp('a', 1), tcp('b', 2)]],
    ['postgres://u@/bellhop?host=a,b&port=7', [tcp('a', 7), tcp('b', 7)]],
  ])('%s', (url, hosts) => {
    expect(readDatabaseUrl(url)).toMatchObject({ hosts, user: 'u', database: 'bellhop' })
  })

  test('users, passwords and names are percent-decoded, and a database goes by its user where it has no name', () => {
    expect(readDatabaseUrl('postgres://us%40er:p%3A%2F%3F%25@h/d%20b')).toMatchObject({
      user: 'us@er',
      password: 'p:/?%',
      database: 'd b',
    })
    expect(readDatabaseUrl('postgres://ada@h')).toMatchObject({ database: 'ada', password: '' })
  })

  test.each([
    ['', 'prefer', 'nothing'],
    ['sslmode=disable', 'disable', 'nothing'],
    ['sslmode=prefer', 'prefer', 'nothing'],
    ['sslmode=require', 'require', 'nothing'],
    ['sslmode=verify-ca', 'require', 'chain'],
    ['sslmode=verify-full', 'require', 'chain and name'],
    ['sslrootcert=system', 'require', 'chain and name'],
    ['sslmode=verify-full&sslrootcert=system', 'require', 'chain and name'],
  ])('TLS by "%s" is %s and verifies %s', (query, mode, verify) => {
    expect(readDatabaseUrl(`postgres://u@h/d?${query}`).tls).toMatchObject({ mode, verify })
  })

  test('require with a root certificate verifies the chain, as libpq does', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'bellhop-url-'))
    await writeFile(join(folder, 'root.crt'), 'certificate')
    const { tls } = readDatabaseUrl(`postgres://u@h/d?sslmode=require&sslrootcert=${folder}/root.crt`)
    expect(tls).toEqual({ mode: 'require', verify: 'chain', credentials: { ca: Buffer.from('certificate') } })
    await rm(folder, { recursive: true })
  })

  test.each(['read-write', 'primary'])('several hosts with target_session_attrs=%s', (value) => {
    expect(readDatabaseUrl(`postgres://u@a,b/d?target_session_attrs=${value}`).hosts).toHaveLength(2)
  })

  test('what else a URL may say', () => {
    const url =
      'postgres://u@h/d?application_name=desk%201&options=-c%20search_path%3Ddesk&connect_timeout=3' +
      '&target_session_attrs=any&channel_binding=prefer&gssencmode=disable'
    expect(readDatabaseUrl(url)).toMatchObject({
      applicationName: 'desk 1',
      options: '-c search_path=desk',
      connectTimeout: 3000,
    })
  })
})

describe('a DATABASE_URL that is wrong', () => {
  test.each([
    ['mysql://u:s3cret@h/d', 'expected postgres://user:password@host:5432/database'],
    ['s3cret', 'expected postgres://'],
    ['postgres://h/d?password=s3cret', 'expected a user'],
    ['postgres://u:s3cret@/d', 'expected a host'],
    ['postgres://u:s3cret@h:99999/d', 'port: expected 1 to 65535'],
    ['postgres://u:s3cret@h:a/d', 'expected hosts as host:port'],
    ['postgres://u:s3cret@::1/d', 'IPv6 addresses in brackets'],
    ['postgres://u:s3cret@h/d?sslmode=always', 'sslmode: expected disable, prefer, require'],
    ['postgres://u:s3cret@h/d?sslmode=require&sslrootcert=system', 'sslmode: expected verify-full'],
    ['postgres://u:s3cret@h/d?sslrootcert=/no/such/s3cret', 'sslrootcert: expected a file'],
    ['postgres://u:s3cret@h/d?pool_mode=s3cret', 'pool_mode: unknown parameter'],
    ['postgres://u:s3cret@h/d?channel_binding=require', 'channel_binding: expected disable or prefer'],
    ['postgres://u:s3cret@a,b/d?target_session_attrs=any', 'target_session_attrs: expected primary'],
    ['postgres://u:s3cret@h/d?target_session_attrs=standby', 'target_session_attrs: expected primary'],
    ['postgres://u:s3cret@h/d?connect_timeout=s3cret', 'connect_timeout: expected 1 to 60'],
    ['postgres://u:s3cret%zz@h/d', 'password: expected percent-encoding'],
    ['postgres://u:s3cret%00@h/d', 'password: expected percent-encoding'],
  ])('%s is told without being repeated', (url, message) => {
    const read = () => readDatabaseUrl(url)
    expect(read).toThrow(OperatorError)
    expect(read).toThrow(`DATABASE_URL: `)
    expect(read).toThrow(message)
    expect(read).not.toThrow('s3cret')
  })
})
