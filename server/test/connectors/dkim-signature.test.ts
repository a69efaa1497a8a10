import { generateKeyPairSync } from 'node:crypto'
import { dkimVerify } from 'mailauth/lib/dkim/verify.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Brand } from '../../src/config.ts'
import type { OutgoingMessage } from '../../src/connectors/connector.ts'
import { answer, sendTo } from './a-customer-mail.ts'
import { startMailSink } from './mail-sink.ts'
import { outgoingAttachment } from './outgoing-message.ts'

let sink: Awaited<ReturnType<typeof startMailSink>>
beforeAll(async () => {
  sink = await startMailSink()
})
afterAll(() => sink.close())

const sent = (
  message: OutgoingMessage,
  settings?: Partial<Brand>,
  dkim?: NonNullable<Brand['mail']>['dkim'],
) => sendTo(sink, message, settings, dkim)

describe('a brand signs its mail', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const ed25519 = generateKeyPairSync('ed25519')
  const PUBLIC = {
    rsa: `v=DKIM1; k=rsa; p=${rsa.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}`,
    // RFC 8463, section 4: the bare key.
    ed25519: `v=DKIM1; k=ed25519; p=${ed25519.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64')}`,
  }

  test.each([
    ['rsa', rsa.privateKey],
    ['ed25519', ed25519.privateKey],
  ] as const)('with a key of %s that its domain vouches for', async (kind, privateKey) => {
    const key = `${privateKey.export({ type: 'pkcs8', format: 'pem' })}`
    const dkim = { domain: 'acme.example', selector: 'bellhop', key }
    const message = answer({ attachments: [outgoingAttachment(Buffer.alloc(200_000, 'a'))] })
    const { raw, bytes } = await sent(message, {}, dkim)
    expect(await signatureOf(raw, kind)).toEqual({ result: 'pass', domain: 'acme.example' })
    const field = /^DKIM-Signature:[\s\S]*?\r\n(?! )/.exec(bytes)?.[0].replaceAll(/\s+/g, '') ?? ''
    expect(field).toContain('c=relaxed/relaxed;')
    expect(field).toContain(`;t=${Date.parse('2026-03-01T09:30:00Z') / 1000};`)
    expect(field).not.toContain(';l=')
    const signed = /;h=([^;]*)/.exec(field)?.[1]?.toLowerCase().split(':') ?? []
    expect(signed.toSorted()).toEqual(
      [
        'from',
        'to',
        'reply-to',
        'subject',
        'date',
        'message-id',
        'in-reply-to',
        'references',
        'mime-version',
        'content-type',
      ].toSorted(),
    )
    // Changed on the way, the signature says so.
    for (const [from, to] of [
      ['Subject: Re', 'Subject: Fw'],
      ['<support+', '<xupport+'],
      ['Lifted', 'Lifter'],
    ] as const) {
      const changed = Buffer.from(bytes.replace(from, to), 'latin1')
      expect(changed.equals(raw)).toBe(false)
      expect((await signatureOf(changed, kind)).result).not.toBe('pass')
    }
    // A retry is the same mail.
    expect((await sent(message, {}, dkim)).raw.equals(raw)).toBe(true)
  })

  async function signatureOf(raw: Buffer, kind: keyof typeof PUBLIC) {
    const { results } = await dkimVerify(raw, {
      resolver: async (name: string, type: string) => {
        expect([name, type]).toEqual(['bellhop._domainkey.acme.example', 'TXT'])
        return [[PUBLIC[kind]]]
      },
    })
    expect(results.length).toBe(1)
    return { result: results[0]?.status.result, domain: results[0]?.signingDomain }
  }
})
