import { generateKeyPairSync } from 'node:crypto'
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { KEYS, mailFolder, PEM, SETTINGS, THROUGH, withMail } from './brands-mail-folder.ts'

describe('each mistake is told by its place, and no secret with it', () => {
  type Row = [what: string, from: string | RegExp, to: string, ...lines: string[]]
  const rows: Row[] = [
    ['a mail server without a host', /url: smtps:.*/, 'url: smtps://', 'mail.url: expected smtp://host:port'],
    [
      'a list of senders',
      /from: .*(?=\n +dkim)/,
      'from: a@b.example, c@d.example',
      'mail.from: expected one mailbox',
    ],
    [
      'a domain that is none',
      'Acme.example, selector',
      '"a b", selector',
      'mail.dkim.domain: expected a domain',
    ],
    ['a selector that is none', 'bellhop2026', '"a;b"', 'mail.dkim.selector: expected the name'],
    ['no key', './dkim.pem', './none.pem', 'mail.dkim.key_file: expected a file that can be read (ENOENT)'],
    ['the text of a template as a key', './dkim.pem', './notice.txt', 'mail.dkim.key_file: expected '],
    [
      'an address with a name',
      'support@Acme.example, keys',
      '"S <s@a.example>", keys',
      'reply.address: expected one address',
    ],
    [
      'a tag in the address',
      'support@Acme.example, keys',
      's+x@a.example, keys',
      'reply.address: expected one address',
    ],
    [
      'a local part that leaves the signature no room',
      'support@Acme.example, keys',
      `${'s'.repeat(20)}@a.example, keys`,
      'reply.address: expected one address without a name, such as support@acme.example: at most 19 of',
    ],
    ['no keys', /keys: \[.*\]/, 'keys: []', 'reply.keys: expected a list of at least one key'],
    [
      'a short key',
      KEYS[1] ?? '',
      Buffer.alloc(31).toString('base64'),
      'reply.keys[1]: expected at least 32 random bytes',
    ],
    [
      'a key in hexadecimal',
      KEYS[1] ?? '',
      `${'0f'.repeat(31)}f`,
      'reply.keys[1]: expected at least 32 random bytes',
    ],
    ['no TLS', 'imaps:', 'imap:', 'inbound.imap: expected imaps:// or ?requireTLS=true'],
    [
      'a password',
      `secret: ${KEYS[0]}`,
      'secret: hunter2hunter2',
      'inbound.secret: expected at least 32 random bytes',
    ],
    [
      'an authserv-id with a version',
      'MX.acme.example',
      '"mx.acme.example 1"',
      'inbound.trusted_authserv_ids[0]: expected',
    ],
    [
      'another word',
      'acknowledge: always',
      'acknowledge: sometimes',
      'acknowledge: expected one of verified, always, never',
    ],
    ['a text for a yes', 'private: true', 'private: "yes"', 'private: expected true or false'],
    [
      'a link to one page',
      '#/tickets/{ticket_id}',
      '',
      'ticket_url: expected an https:// URL with {ticket_id}',
    ],
    [
      'a link without TLS',
      'https://app.acme.example/#',
      'http://app.acme.example/#',
      'ticket_url: expected an https:// URL',
    ],
    [
      'an id as a host',
      'https://app.acme.example/#/tickets/',
      'https://',
      'ticket_url: expected an https:// URL',
    ],
    [
      'no template',
      './notice.txt',
      './none.txt',
      'templates.notice.text: expected a file that can be read (ENOENT)',
    ],
    [
      'a template of another mail',
      'notice: {',
      'welcome: {',
      'templates.welcome: unknown key, expected one of acknowledgement',
    ],
    [
      'a value that there is none of',
      '{{brand}}',
      '{{password}}',
      'templates.notice.subject: expected only the values brand,',
    ],
    ['raw values', '{{brand}}', '{{{brand}}}', 'templates.notice.subject: expected only {{value}}'],
    ['a template that does not end', '{{brand}}', '{{#brand}}', 'templates.notice.subject: expected each {{'],
    ['an agent without a domain', 'Bob@Acme.example', 'bob@', 'desk.agents[0]: expected an address such as'],
    ['nobody who may answer', /agents: .*/, 'agents: []', 'desk.agents: expected who may answer'],
    ['agents left out', /\n +agents: .*/, '', 'desk.agents: expected who may answer'],
    ['no way back', /\n +reply: .*/, '', 'reply: missing, expected a map with address, keys'],
    ['another word for the desk', 'through', 'beside', 'desk.conversation: expected direct or through'],
  ]

  test.each(rows)('%s', async (_, from, to, ...lines) => {
    await using folder = await mailFolder()
    const written = withMail(SETTINGS, THROUGH)
    const text = written.replace(from, () => to)
    expect(text).not.toBe(written)
    const mistakes = await folder.mistakes(text)
    expect(mistakes).toEqual(
      lines.map((line) =>
        expect.stringMatching(new RegExp(`^brands\\.yaml:\\d+: brands\\[0\\]\\.${literally(line)}`)),
      ),
    )
    for (const secret of ['hunter2', 'secret@', ...KEYS]) expect(mistakes.join()).not.toContain(secret)
  })

  test('a key that others can read, or that is none, is refused', async () => {
    await using folder = await mailFolder()
    const key = join(folder.folder, 'dkim.pem')
    const text = withMail(SETTINGS, THROUGH)
    const place = expect.stringContaining('brands[0].mail.dkim.key_file: expected ')
    await chmod(key, 0o644)
    expect(await folder.mistakes(text)).toEqual([expect.stringContaining('that other users cannot read')])
    await chmod(key, 0o640)
    expect(await folder.mistakes(text)).toEqual([])
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
      type: 'sec1',
      format: 'pem',
    })
    const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey
    for (const content of [PEM.publicKey, 'none', '', ec, short.export({ type: 'pkcs1', format: 'pem' })]) {
      await folder.write('dkim.pem', content)
      const mistakes = await folder.mistakes(text)
      expect(mistakes).toEqual([place])
      expect(mistakes.join()).not.toContain('BEGIN')
    }
  })

  test('a template file is held to the same rules as a line', async () => {
    await using folder = await mailFolder()
    for (const content of [
      '{{> /etc/passwd}}',
      '{{&body}}',
      '{{=<% %>=}}',
      '{{#body}}',
      '{{brand.name}}',
      '{{#link}}{{x}}{{/link}}',
    ]) {
      await folder.write('notice.txt', content)
      expect(await folder.mistakes(withMail(SETTINGS, THROUGH))).toEqual([
        expect.stringMatching(/templates\.notice\.text: expected .* in the file$/),
      ])
    }
    await folder.write('notice.txt', '{{! ours }}{{#link}}{{link}}{{/link}}{{^link}}{{brand}}{{/link}}')
    expect(await folder.mistakes(withMail(SETTINGS, THROUGH))).toEqual([])
  })

  test('one mailbox is read by one brand', async () => {
    await using folder = await mailFolder()
    const twice = withMail(SETTINGS, THROUGH).concat(
      '    inbound: { imap: "imaps://bellhop:other@MAIL.acme.example:993/Support" }\n',
    )
    expect(await folder.mistakes(twice)).toEqual([
      expect.stringContaining(
        'brands[1].inbound.imap: duplicate, expected another mailbox than brands[0] has',
      ),
    ])
  })

  test('a secret of mail by HTTP is of one brand', async () => {
    await using folder = await mailFolder()
    const secret = Buffer.alloc(32, 7).toString('base64')
    const inbound = `    inbound: { secret: "${secret}" }\n`
    expect(await folder.mistakes(withMail(inbound).concat(inbound))).toEqual([
      expect.stringContaining(
        'brands[1].inbound.secret: duplicate, expected another secret than brands[0] has',
      ),
    ])
  })
})

function literally(text: string): string {
  return text.replace(/[^A-Za-z0-9 ]/g, '\\$&')
}
