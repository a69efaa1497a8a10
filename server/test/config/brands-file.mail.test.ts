import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { brandsFolder, SECRETS } from './brands-folder.ts'
import { mailFolder, PEM, SETTINGS, THROUGH, withMail } from './brands-mail-folder.ts'

describe('a brand writes to its customers, and hears them', () => {
  test('every setting is read, with the files that it names', async () => {
    await using folder = await mailFolder()
    const { brands } = await folder.read(withMail(SETTINGS, THROUGH))
    expect(brands[0]).toMatchObject({
      mail: {
        url: 'smtps://bellhop:secret@mail.acme.example',
        from: { name: 'Acme Support', address: 'support@acme.example' },
        dkim: { domain: 'acme.example', selector: 'bellhop2026', key: PEM.privateKey },
      },
      reply: { local: 'support', domain: 'acme.example', keys: [Buffer.alloc(32, 1), Buffer.alloc(48, 2)] },
      inbound: {
        imap: { host: 'mail.acme.example', port: 993, mailbox: 'Support' },
        secret: Buffer.alloc(32, 1),
        trustedAuthservIds: ['mx.acme.example'],
        acceptNew: true,
      },
      acknowledge: 'always',
      // Whoever is private sends answers only to addresses that are known to be the requester's.
      answers: 'verified',
      private: true,
      ticketUrl: 'https://app.acme.example/#/tickets/{ticket_id}',
      templates: { notice: { subject: 'News from {{brand}}', text: 'Look: {{link}}\n' } },
      desk: {
        conversation: 'through',
        agents: ['bob@acme.example', '@help.acme.example', '@partner.example'],
      },
    })
  })

  test('what is left out has a default, and inbound needs no mail', async () => {
    await using folder = await brandsFolder()
    const whsec = SECRETS.GLOBEX_WEBHOOK_SECRET
    const text = withMail(
      `    mail: { url: smtp://127.0.0.1, from: a@acme.example }\n    inbound: { secret: ${whsec} }\n`,
    )
    expect((await folder.read(text)).brands[0]).toMatchObject({
      mail: { dkim: null },
      reply: null,
      inbound: { imap: null, secret: Buffer.alloc(32, 7), trustedAuthservIds: [], acceptNew: false },
      acknowledge: 'verified',
      answers: 'always',
      private: false,
      ticketUrl: null,
      templates: {},
    })
    const own = withMail('    private: true\n    answers: always\n    inbound: {}\n')
    expect((await folder.read(own)).brands[0]).toMatchObject({
      mail: null,
      private: true,
      answers: 'always',
      inbound: { imap: null, secret: null },
    })
  })

  test('an Ed25519 key signs as well', async () => {
    await using folder = await mailFolder()
    const { privateKey } = generateKeyPairSync('ed25519')
    await folder.write('dkim.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }))
    expect(await folder.mistakes(withMail(SETTINGS, THROUGH))).toEqual([])
  })
})
