import type { ImapMailbox } from './brands.ts'
import { readImapUrl } from './imap-url.ts'
import { isMap, type Mistake, type Path } from './mistakes.ts'
import { smtpUrlFaults } from './smtp-url.ts'
import { TEMPLATE_KINDS, templateFaults } from './template-check.ts'

type Entry = Record<string, unknown>

/** What the settings of a brand's mail ask of each other. */
export function checkMail(brand: Entry, path: Path, mistakes: Mistake[]): void {
  const { desk, mail, inbound } = brand
  if (isMap(mail) && typeof mail.url === 'string') {
    for (const sentence of smtpUrlFaults(mail.url))
      mistakes.push({ path: [...path, 'mail', 'url'], sentence })
  }
  if (isMap(desk) && desk.conversation === 'through') checkThrough(brand, desk, path, mistakes)
  if (isMap(inbound) && typeof inbound.imap === 'string') {
    const mailbox = readImapUrl(inbound.imap)
    for (const sentence of Array.isArray(mailbox) ? mailbox : []) {
      mistakes.push({ path: [...path, 'inbound', 'imap'], sentence })
    }
  }
  for (const kind of TEMPLATE_KINDS) {
    const template = isMap(brand.templates) ? brand.templates[kind] : undefined
    if (!isMap(template) || typeof template.subject !== 'string') continue
    for (const sentence of templateFaults(template.subject)) {
      mistakes.push({ path: [...path, 'templates', kind, 'subject'], sentence })
    }
  }
}

/** Answers come to a signed address, and only from people who are known to be agents. */
function checkThrough(brand: Entry, desk: Entry, path: Path, mistakes: Mistake[]): void {
  if (!Object.hasOwn(brand, 'reply')) {
    mistakes.push({
      path: [...path, 'reply'],
      sentence: 'missing, expected a map with address, keys, since desk.conversation is through',
    })
  }
  if (!Object.hasOwn(desk, 'agents') || (Array.isArray(desk.agents) && desk.agents.length === 0)) {
    mistakes.push({
      path: [...path, 'desk', 'agents'],
      sentence:
        'expected who may answer, a list of at least one address or domain, since desk.conversation is through',
    })
  }
}

/** A mailbox is read by one brand, since every mail in it would be taken for each. */
export function checkMailboxes(brands: Entry[], mistakes: Mistake[]): void {
  const first = new Map<string, number>()
  for (const [index, { inbound }] of brands.entries()) {
    const url = isMap(inbound) ? inbound.imap : undefined
    const mailbox = typeof url === 'string' ? readImapUrl(url) : []
    if (Array.isArray(mailbox)) continue
    const taken = first.get(nameOf(mailbox))
    if (taken === undefined) first.set(nameOf(mailbox), index)
    else {
      mistakes.push({
        path: ['brands', index, 'inbound', 'imap'],
        sentence: `duplicate, expected another mailbox than brands[${taken}] has`,
      })
    }
  }
}

/** The signature of a mail does not name its brand: what was signed for one would hold for the other. */
export function checkInboundSecrets(brands: Entry[], mistakes: Mistake[]): void {
  const first = new Map<string, number>()
  for (const [index, { inbound }] of brands.entries()) {
    const secret = isMap(inbound) ? inbound.secret : undefined
    if (typeof secret !== 'string') continue
    const taken = first.get(secret)
    if (taken === undefined) first.set(secret, index)
    else {
      mistakes.push({
        path: ['brands', index, 'inbound', 'secret'],
        sentence: `duplicate, expected another secret than brands[${taken}] has`,
      })
    }
  }
}

function nameOf({ host, port, user, mailbox }: ImapMailbox): string {
  return JSON.stringify([host.toLowerCase(), port, user, mailbox])
}
