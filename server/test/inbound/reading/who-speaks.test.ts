import { describe, expect, test } from 'vitest'
import {
  type DnsRecords,
  fakeDns,
  mailOf,
  type SigningDomain,
  signedMail,
  signingDomain,
  signMail,
} from '../signed-mail.ts'
import { read } from './a-reading.ts'

const example = signingDomain('example.com')
const open = signingDomain('open.example', { dmarc: null })
const evil = signingDomain('evil.example')

function dns(...domains: SigningDomain[]) {
  return fakeDns(Object.assign({}, ...domains.map(({ records }) => records)) as DnsRecords)
}

describe('one author, or none', () => {
  test.each([
    ['Ada <ada@example.com>', 'ada@example.com'],
    ['ada@example.com', 'ada@example.com'],
    ['<ada@example.com>', 'ada@example.com'],
    ['"Lovelace, Ada" <ada@example.com>', 'ada@example.com'],
    ['ada@example.com (Ada)', 'ada@example.com'],
    ['Ada (of London) <ada@EXAMPLE.com>', 'ada@example.com'],
    ['=?utf-8?q?Ada_=3Cboss=40bank.example=3E?= <ada@example.com>', 'ada@example.com'],
    ['"boss@bank.example" <ada@example.com>', 'ada@example.com'],
    ['ada@example.com <ada@example.com>', 'ada@example.com'],
    ["'Ada@example.com' <ada@example.com>", 'ada@example.com'],
    ['"a@bank.example"@example.com', '"a@bank.example"@example.com'],
    ['Ada\r\n <ada@example.com>', 'ada@example.com'],
    ['"ada lovelace"@example.com', '"ada lovelace"@example.com'],
    ['Jörg <jorg@bücher.example>', 'jorg@xn--bcher-kva.example'],
    ['A.D.A. <Ada.L+x@example.com>', 'Ada.L+x@example.com'],
  ])('%s', async (from, address) => {
    expect(await read(mailOf({ From: from }))).toMatchObject({ from: { address }, fromFault: null })
  })

  test.each([
    ['boss@bank.example <ada@example.com>', 'unreadable'],
    ['Boss boss@bank.example <ada@example.com>', 'unreadable'],
    ['ada@example.com, boss@bank.example', 'many_mailboxes'],
    ['Ada <ada@example.com>, Boss <boss@bank.example>', 'many_mailboxes'],
    ['Lovelace, Ada <ada@example.com>', 'many_mailboxes'],
    ['Friends: ada@example.com, boss@bank.example;', 'group'],
    ['Nobody:;', 'group'],
    ['<@relay.example:ada@example.com>', 'group'],
    ['ada@example.com <boss@bank.example> <ada@example.com>', 'unreadable'],
    ['Ada <ada@example.com> boss@bank.example', 'unreadable'],
    ['Ada <ada@example.com', 'unreadable'],
    ['Ada <ada(a comment)@example.com>', 'unreadable'],
    ['Ada <ada@example.com(.bank.example)>', 'unreadable'],
    ['Ada <ada @example.com>', 'unreadable'],
    ['Ada <ada@@example.com>', 'unreadable'],
    ['Ada <ada@bank.example@example.com>', 'unreadable'],
    ['Ada <=?utf-8?q?ada?=@example.com>', null],
    ['"Ada <ada@example.com>', 'unreadable'],
    ['(Ada <ada@example.com>', 'unreadable'],
    ['Ada <ada@exa\u0000mple.com>', 'unreadable'],
    ['Ada <ada@bank.example\rFrom: x>', 'unreadable'],
    ['Ada <ädä@example.com>', 'unreadable'],
    ['Ada', 'unreadable'],
    ['', 'none'],
    [`${'('.repeat(1900)}ada@example.com`, 'unreadable'],
    [`${'a'.repeat(3000)} <ada@example.com>`, 'unreadable'],
  ])('%s is at fault', async (from, fault) => {
    const mail = await read(mailOf({ From: from }))
    expect(mail.fromFault).toBe(fault)
    if (fault !== null)
      expect(mail).toMatchObject({ from: null, authentication: { passed: false, address: null } })
  })

  test('two From fields are no author, whichever one is signed', async () => {
    const signed = await signMail(mailOf({}), [{ by: example }])
    for (const second of [
      'From: Boss <boss@bank.example>\r\n',
      'from : boss@bank.example\r\n',
      'FROM:\tx@y.example\r\n',
    ]) {
      for (const raw of [
        Buffer.concat([Buffer.from(second), signed]),
        Buffer.from(signed.toString().replace('\r\nTo:', `\r\n${second}To:`)),
      ]) {
        const mail = await read(raw, { resolve: dns(example) })
        expect(mail).toMatchObject({
          from: null,
          fromFault: 'many_fields',
          authentication: { passed: false },
        })
      }
    }
  })

  test.each([
    [
      'a line that begins with a control character',
      'From: ada@example.com\r\n\u000bFrom: boss@bank.example\r\n',
    ],
    ['a name with a character that none has', 'From: ada@example.com\r\nX\u0000From: boss@bank.example\r\n'],
    ['a name with a space that is none', 'From: ada@example.com\r\nFrom\u00a0: boss@bank.example\r\n'],
    ['a first line that continues nothing', ' From: boss@bank.example\r\nFrom: ada@example.com\r\n'],
  ])('%s, in which DKIM might see another From, makes it unreadable', async (_how, head) => {
    expect(await read(`${head}To: support@acme.example\r\n\r\nHello`)).toMatchObject({
      from: null,
      fromFault: 'unreadable',
      authentication: { passed: false, address: null },
    })
  })

  test('a mail without From has none', async () => {
    expect(await read('To: support@acme.example\r\n\r\nHello')).toMatchObject({
      from: null,
      fromFault: 'none',
    })
  })

  test('the display name is decoded, and is one line', async () => {
    const mail = await read(mailOf({ From: '=?utf-8?q?Ada=0ALovelace?= <ada@example.com>' }))
    expect(mail.from).toEqual({ address: 'ada@example.com', name: 'Ada Lovelace' })
  })
})

describe('an author is proven', () => {
  test('by DMARC', async () => {
    const { raw, dns } = await signedMail({})
    expect((await read(raw, { resolve: dns })).authentication).toEqual({
      passed: true,
      by: 'dmarc',
      domain: 'example.com',
      temporary: false,
      address: 'ada@example.com',
    })
  })

  test('by a subdomain under relaxed alignment, not under strict', async () => {
    const sub = signingDomain('mail.example.com', { dmarc: null })
    const raw = await signMail(mailOf({}), [{ by: sub }])
    expect((await read(raw, { resolve: dns(example, sub) })).authentication).toMatchObject({
      passed: true,
      by: 'dmarc',
    })
    const strict = signingDomain('example.com', { dmarc: 'v=DMARC1; p=none; adkim=s' })
    expect((await read(raw, { resolve: dns(strict, sub) })).authentication).toMatchObject({ passed: false })
  })

  test('by an aligned signature, where the domain has no DMARC record', async () => {
    const raw = await signMail(mailOf({ From: 'bo@open.example' }), [{ by: open }])
    expect((await read(raw, { resolve: dns(open) })).authentication).toMatchObject({
      passed: true,
      by: 'dkim',
    })
  })
})

describe('an author is not proven', () => {
  const failed = { passed: false, by: null, temporary: false }

  test('without a signature', async () => {
    expect((await read(mailOf({}), { resolve: dns(example) })).authentication).toMatchObject(failed)
  })

  test('by a signature of another domain, alone or beside a broken one of its own', async () => {
    const raw = await signMail(mailOf({}), [{ by: evil }])
    expect((await read(raw, { resolve: dns(example, evil) })).authentication).toMatchObject(failed)
    const broken = await signMail(mailOf({}), [{ by: signingDomain('example.com') }, { by: evil }])
    expect((await read(broken, { resolve: dns(example, evil) })).authentication).toMatchObject(failed)
  })

  test('by a second signature that is aligned with nobody but Sender or Reply-To', async () => {
    const raw = await signMail(mailOf({ Sender: 'x@evil.example', 'Reply-To': 'x@evil.example' }), [
      { by: evil },
    ])
    expect((await read(raw, { resolve: dns(example, evil) })).authentication).toMatchObject(failed)
  })

  test('by a second signature of a stranger beside one that only covers the beginning of the body', async () => {
    const raw = await signMail(mailOf({}), [{ by: example, bodyLength: 3 }, { by: evil }])
    expect((await read(raw, { resolve: dns(example, evil) })).authentication).toMatchObject(failed)
  })

  test('by a signature with l=, though DMARC and DKIM pass, even where it covers all there is', async () => {
    for (const by of [example, open]) {
      for (const bodyLength of [0, 3, 8, 1000]) {
        const raw = await signMail(mailOf({ From: `ada@${by.domain}` }), [{ by, bodyLength }])
        expect((await read(raw, { resolve: dns(by) })).authentication).toMatchObject(failed)
      }
    }
  })

  test('once the body or a signed field was changed', async () => {
    const raw = (await signMail(mailOf({}), [{ by: example }])).toString()
    for (const changed of [
      raw.replace('Hello.', 'Hallo.'),
      raw.replace('Subject: Help', 'Subject: Halp'),
      raw.replace('ada@', 'bob@'),
    ]) {
      expect((await read(changed, { resolve: dns(example) })).authentication).toMatchObject(failed)
    }
  })

  test('by a key that its domain only tests, where there is no DMARC record', async () => {
    const testing = signingDomain('open.example', { dmarc: null, flags: '; t=y' })
    const raw = await signMail(mailOf({ From: 'bo@open.example' }), [{ by: testing }])
    expect((await read(raw, { resolve: dns(testing) })).authentication).toMatchObject(failed)
  })

  test('by one of many signatures: more than twenty are not looked at', async () => {
    const raw = await signMail(mailOf({}), [{ by: example }])
    const many = Buffer.concat([Buffer.from('DKIM-Signature: v=1; d=x.example; s=a\r\n'.repeat(20)), raw])
    const resolve = dns(example)
    expect((await read(many, { resolve })).authentication).toMatchObject(failed)
    expect(resolve.asked).toEqual([])
  })
})

describe('what DNS cannot say now is asked again later', () => {
  test.each(['_dmarc.example.com', 'one._domainkey.example.com'])('%s', async (name) => {
    const raw = await signMail(mailOf({}), [{ by: example }])
    const resolve = fakeDns({ ...example.records, [name]: 'temporary' })
    expect((await read(raw, { resolve })).authentication).toMatchObject({ passed: false, temporary: true })
  })

  test('a key of a stranger that cannot be had changes nothing', async () => {
    const raw = await signMail(mailOf({}), [{ by: evil }])
    const resolve = fakeDns({ ...example.records, 'one._domainkey.evil.example': 'temporary' })
    expect((await read(raw, { resolve })).authentication).toMatchObject({ passed: false, temporary: false })
  })
})
