import { generateKeyPairSync } from 'node:crypto'
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { brandsFolder, WRITTEN } from './brands-folder.ts'

export const KEYS = [Buffer.alloc(32, 1).toString('base64'), Buffer.alloc(48, 2).toString('base64')]
/** Every setting for mail that a brand may have. */
export const SETTINGS = `    mail:
      url: smtps://bellhop:secret@mail.acme.example
      from: Acme Support <support@acme.example>
      dkim: { domain: Acme.example, selector: bellhop2026, key_file: ./dkim.pem }
    reply: { address: support@Acme.example, keys: [${KEYS.join(', ')}] }
    inbound:
      imap: imaps://bellhop:secret@mail.acme.example/Support
      secret: ${KEYS[0]}
      trusted_authserv_ids: [MX.acme.example]
      accept_new: true
    acknowledge: always
    private: true
    ticket_url: https://app.acme.example/#/tickets/{ticket_id}
    templates:
      notice: { subject: "News from {{brand}}", text: ./notice.txt }
`
/** The desk's own. */
export const THROUGH = `
      conversation: through
      agents: [Bob@Acme.example, "@help.acme.example", partner.example]
`

/** The file of the manual, whose first brand has settings for mail. */
export function withMail(settings: string, desk = ''): string {
  return WRITTEN.replace(
    '      to: helpdesk@acme.example\n',
    (line) => `${line.trimEnd()}${desk || '\n'}${settings}`,
  )
}

/** RSA keys are slow to make, so one serves all. */
export const PEM = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
})

/** With the files that {@link SETTINGS} names. */
export async function mailFolder() {
  const folder = await brandsFolder()
  await folder.write('dkim.pem', PEM.privateKey)
  await chmod(join(folder.folder, 'dkim.pem'), 0o600)
  await folder.write('notice.txt', 'Look: {{link}}\n')
  return folder
}
