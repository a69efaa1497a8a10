import { describe, expect, test } from 'vitest'
import { fakeDns, mailOf } from '../signed-mail.ts'
import { read } from './a-reading.ts'

const PASS = 'Authentication-Results: mx.acme.example; dmarc=pass (p=reject) header.from=example.com\r\n'
const OWN =
  'Received: from out.example.com ([192.0.2.1]) by mx.acme.example with ESMTPS; Mon, 5 Jan 2026 10:00:00 +0000\r\n'
const OTHER =
  'Received: from x (y [192.0.2.2]) by out.example.com with ESMTP; Mon, 5 Jan 2026 09:59:59 +0000\r\n'

async function judged(
  head: string,
  { records = {}, ids = ['mx.acme.example'] }: { records?: Record<string, string>; ids?: string[] } = {},
) {
  const { authentication } = await read(mailOf({}, undefined, { head }), {
    resolve: fakeDns(records),
    trustedAuthservIds: ids,
  })
  return authentication
}

describe('what a trusted mail server found counts', () => {
  test.each([
    ['topmost', PASS],
    ['above all that others added', PASS + OWN + OTHER],
    ['below what the server itself added', OWN + PASS + OTHER],
    [
      'in any case, with a version, comments, folds and a method version',
      'Authentication-Results: (c (d)) MX.acme.EXAMPLE 1;\r\n\tdkim=fail (x; dmarc=fail header.from=x) reason="a; dmarc=fail";\r\n dmarc/1 = pass header.from=Example.COM\r\n',
    ],
    [
      'with an address in header.from',
      'Authentication-Results: mx.acme.example; dmarc=pass header.from=ada@example.com\r\n',
    ],
  ])('%s', async (_where, head) => {
    expect(await judged(head)).toMatchObject({ passed: true, by: 'authserv', domain: 'example.com' })
  })

  test('SPF, where the domain has no DMARC record', async () => {
    const spf = (sender: string) =>
      `Authentication-Results: mx.acme.example; spf=pass smtp.mailfrom=${sender}\r\n`
    expect(await judged(spf('ada@example.com'))).toMatchObject({ passed: true, by: 'spf' })
    expect(await judged(spf('bounces.example.com'))).toMatchObject({ passed: true, by: 'spf' })
    expect(await judged(spf('evil.example'))).toMatchObject({ passed: false })
    expect(await judged(spf('evilexample.com'))).toMatchObject({ passed: false })
    const records = { '_dmarc.example.com': 'v=DMARC1; p=none' }
    expect(await judged(spf('example.com'), { records })).toMatchObject({ passed: false })
    const temporary = { '_dmarc.example.com': 'temporary' }
    expect(await judged(spf('example.com'), { records: temporary })).toMatchObject({
      passed: false,
      temporary: true,
    })
  })
})

describe('what anybody may have written does not', () => {
  test.each([
    ['of a server that is not trusted', PASS.replace('mx.acme.example', 'mx.evil.example')],
    ['of one that only begins like it', PASS.replace('mx.acme.example', 'mx.acme.example.evil.example')],
    ['below a Received of another server', OTHER + PASS],
    ['below a Received of another server and one of its own', OWN + OTHER + PASS],
    ['below a Received that names nobody', `Received: from mx.acme.example (by mx.acme.example)\r\n${PASS}`],
    ['below one that names two', OTHER.replace('from x ', 'from x by mx.acme.example ') + PASS],
    [
      'below one that is cut short by a comment',
      OTHER.replace('from x ', 'from x by mx.acme.example ( ') + PASS,
    ],
    ['of another domain', PASS.replace('header.from=example.com', 'header.from=evil.example')],
    ['of no domain', PASS.replace('header.from=example.com', '')],
    [
      'in a comment',
      'Authentication-Results: mx.acme.example; none (dmarc=pass header.from=example.com)\r\n',
    ],
    [
      'in a quoted reason',
      'Authentication-Results: mx.acme.example; dkim=fail reason="; dmarc=pass header.from=example.com"\r\n',
    ],
    [
      'under the topmost of the same server',
      `Authentication-Results: mx.acme.example; dmarc=fail header.from=example.com\r\n${PASS}`,
    ],
    ['under the results of another', `Authentication-Results: elsewhere.example; dmarc=fail\r\n${PASS}`],
    ['under results that are none', `Authentication-Results: ;\r\n${PASS}`],
    ['under results too long to be read', `Authentication-Results: ${'x'.repeat(17_000)}\r\n${PASS}`],
    ['in another field', PASS.replace('Authentication-Results', 'ARC-Authentication-Results')],
    ['where it failed', PASS.replace('dmarc=pass', 'dmarc=fail')],
  ])('%s', async (_where, head) => {
    expect(await judged(head)).toMatchObject({ passed: false })
  })

  test('of anybody, where no server is trusted', async () => {
    expect(await judged(PASS, { ids: [] })).toMatchObject({ passed: false })
  })

  test('about a From that is at fault', async () => {
    const raw = mailOf({ From: 'ada@example.com, boss@bank.example' }, undefined, { head: PASS })
    const mail = await read(raw, { trustedAuthservIds: ['mx.acme.example'] })
    expect(mail).toMatchObject({ from: null, authentication: { passed: false } })
  })
})
