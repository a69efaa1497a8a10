import { expect, test } from 'vitest'
import { checkMail } from '../../src/commands/doctor-mail.ts'
import type { Brand } from '../../src/config.ts'
import { brandOf } from '../bellhop.ts'
import { startMailSink } from '../connectors/mail-sink.ts'

const FROM = { name: '', address: 'support@acme.example' }
const KEY = Buffer.alloc(32, 1)

test('doctor says who gets no mail, and asks the mail server of who does', async () => {
  const sink = await startMailSink()
  try {
    expect(await told()).toEqual(['ok mail of acme: none is sent to customers: the brand has no mail'])
    const mail = { url: `smtp://127.0.0.1:${sink.port}`, from: FROM, dkim: null }
    const reply = { local: 'support', domain: 'acme.example', keys: [KEY, KEY] }
    expect((await told({ mail }))[1]).toBe(
      'ok answers of acme: no signed addresses: the brand has no reply, and only threads tell whose an answer is; mail comes in by the command',
    )
    const inbound = { imap: null, secret: KEY, trustedAuthservIds: [], acceptNew: true }
    expect(await told({ mail, reply, inbound })).toEqual([
      'ok mail of acme: the mail server answered and is ready for a message; it is not signed: no mail.dkim',
      'ok answers of acme: signed addresses, 2 keys; mail comes in by the command, HTTP; mail opens tickets',
    ])
    const noLink = '; a notice of an answer does not say where it is: no ticket_url'
    for (const notices of [{ private: true }, { answers: 'verified' }] satisfies Partial<Brand>[]) {
      expect((await told({ mail, ...notices }))[0]).toContain(noLink)
      expect((await told({ mail, ...notices, ticketUrl: 'https://a.example/{ticket_id}' }))[0]).not.toContain(
        noLink,
      )
    }
    const signedBy = async (domain: string) =>
      (await told({ mail: { ...mail, dkim: { domain, selector: 's', key: 'unused' } } }))[0]
    for (const domain of ['acme.example', 'mail.acme.example'])
      expect(await signedBy(domain)).toBe(
        'ok mail of acme: the mail server answered and is ready for a message',
      )
    expect(await signedBy('notacme.example')).toMatch(
      /; its signature says nothing of its sender: mail\.dkim/,
    )
    expect(sink.mails).toEqual([])
    expect((await told({ mail: { ...mail, url: 'smtp://127.0.0.1:1' } }))[0]).toBe(
      'FAIL mail of acme: connection_refused: nothing listens there; check host and port in mail.url; it is not signed: no mail.dkim',
    )
  } finally {
    await sink.close()
  }
})

async function told(settings: Partial<Brand> = {}): Promise<string[]> {
  const brand = brandOf('acme', { url: 'https://login.acme.example' }, settings)
  const checks = await checkMail(brand, AbortSignal.timeout(10_000))
  return checks.map(({ what, ok, detail }) => `${ok ? 'ok' : 'FAIL'} ${what}: ${detail}`)
}
