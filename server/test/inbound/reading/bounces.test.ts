import { describe, expect, test } from 'vitest'
import { mailOf } from '../signed-mail.ts'
import { read } from './a-reading.ts'

const ID = '<dlv_0199c0ffee007000800000000000000a@acme.example>'
const DAEMON = { 'Return-Path': '<>', From: 'Mail Delivery System <MAILER-DAEMON@mx.example.com>' }
const COPY = `Return-Path: <support@acme.example>\r\nMessage-ID: ${ID}\r\nFrom: support@acme.example\r\nSubject: Re: Help\r\n\r\nsecret\r\n`

const REPORT = 'multipart/report; report-type=delivery-status; boundary=b'
const SAID = 'This is the mail system. Your mail did not arrive.\r\n'

function dsn(
  fields: string,
  { original = COPY, type = 'message/rfc822', encoding = '7bit', said = SAID } = {},
): string {
  const report = encoding === 'base64' ? Buffer.from(fields).toString('base64') : fields
  const parts = [
    ['text/plain', '7bit', said],
    ['message/delivery-status', encoding, report],
    [type, '7bit', original],
  ].map(
    ([type, encoding, body]) =>
      `--b\r\nContent-Type: ${type}\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n${body}\r\n`,
  )
  return mailOf({ ...DAEMON, 'Content-Type': REPORT }, `${parts.join('')}--b--\r\n`)
}

function perRecipient(action: string, status: string, more = ''): string {
  const mail = 'Reporting-MTA: dns; mx.example.com\r\nArrival-Date: Mon, 5 Jan 2026 10:00:00 +0000\r\n'
  return `${mail}\r\nFinal-Recipient: rfc822; <ada@example.com>\r\nAction: ${action}\r\nStatus: ${status}\r\n${more}`
}

describe('a delivery status notification', () => {
  test.each([
    ['an address that is not there', 'failed', '5.1.1', '', 'hard'],
    ['a mailbox that is closed', 'failed', '5.2.1', '', 'hard'],
    ['a full mailbox', 'failed', '5.2.2', '', 'soft'],
    [
      'a full mailbox under a general code',
      'failed',
      '5.0.0',
      'Diagnostic-Code: smtp; 552 quota exceeded\r\n',
      'soft',
    ],
    ['a refused content', 'failed', '5.7.1', '', 'soft'],
    [
      'an unknown user under a code for policy',
      'failed',
      '5.7.1',
      'Diagnostic-Code: smtp; 550 user unknown here\r\n',
      'hard',
    ],
    ['a time that ran out', 'failed', '4.4.7', '', 'soft'],
    ['a delay', 'delayed', '4.4.1', '', 'delayed'],
    ['a sender who is not taken', 'failed', '5.1.8', '', 'soft'],
  ])('of %s', async (_what, action, status, more, kind) => {
    const mail = await read(dsn(perRecipient(action, status, more)))
    expect(mail.bounce).toEqual({
      kind,
      recipient: 'ada@example.com',
      status,
      originalMessageId: ID,
      isOfServer: true,
    })
    expect(mail.automatic.emptyReturnPath).toBe(true)
    // Its parts are kept as they are.
    expect(mail.attachments.map(({ declaredType }) => declaredType)).toEqual([
      'message/delivery-status',
      'message/rfc822',
    ])
  })

  const refused = async (answer: string, status = 'Status: 5.0.0\r\n') => {
    const report = `Final-Recipient: rfc822; ada@example.com\r\nAction: failed\r\n${status}Diagnostic-Code: ${answer}\r\n`
    const { bounce } = await read(dsn(`Reporting-MTA: dns; mx.example.com\r\n\r\n${report}`))
    return bounce
  }

  test.each([
    'smtp; 550 user unknown',
    'smtp; 550 <ada@example.com>: Recipient address rejected: User unknown in local recipient table',
    'smtp; 550 No such user here',
    'smtp;550 Requested action not taken: mailbox unavailable',
    'smtp; 550 Unrouteable address',
    'smtp; 551 user not local',
    'smtp; 553 sorry, no mailbox here by that name',
    'smtp; 550 sorry, no mailbox here by that name (#5.1.1 - chkuser)',
    'smtp; 550 #5.1.0 Address rejected.',
    'smtp; 550-5.1.1 The email account that you tried to reach does not exist.\r\n 550 5.1.1 Please try again',
    'smtp; 554 5.7.1 <ada@example.com>: Recipient address rejected: user unknown',
    'smtp; 550 5.5.0 Requested action not taken: mailbox unavailable',
    "smtp; 554 delivery error: dd This user doesn't have a yahoo.com account (ada@example.com) [0]",
    'smtp; 550 5.0.350 Remote server returned an error -> 550 5.1.1 RESOLVER.ADR.RecipNotFound',
    'X-Notes; User ada (ada@example.com) not listed in Domino Directory',
    'X-Postfix; host relay.blocklist.example said: 550 user unknown (in reply to RCPT TO command)',
  ])('that says of the address, under a general code or none, that it is not there: %s', async (answer) => {
    expect(await refused(answer)).toMatchObject({ kind: 'hard', recipient: 'ada@example.com' })
    expect(await refused(answer, '')).toMatchObject({ kind: 'hard', recipient: 'ada@example.com' })
  })

  test.each([
    'smtp; 554 Service unavailable; Client host [192.0.2.1] listed at zen.spamhaus.org',
    'smtp; 554 5.7.1 Message rejected for its content',
    'smtp; 550 5.7.26 This mail is unauthenticated: SPF [acme.example] did not pass',
    'smtp; 550 5.0.350 Remote server returned an error -> 554 5.7.1 blocked',
    'smtp; 554 transaction failed',
    'smtp; 550 Message rejected: this address takes no attachment of that type',
    'smtp; 550 High probability of spam',
    'smtp; 550 Mailbox unavailable: 192.0.2.1 is blacklisted',
    'smtp; 550 The IP address of the host has no PTR record',
    'smtp; 550 IP address not found in DNS',
    'smtp; 550 Virus found in a mail to this recipient',
    'smtp; 550 Rejected',
    'smtp; 550 <support@acme.example>: Sender address rejected: User unknown',
    'smtp; 550 5.1.0 <support@acme.example>: Sender address rejected: User unknown',
    'smtp; 451 4.7.1 try later, user unknown for now',
    'smtp; 450 user unknown',
    'smtp; 554 <user.unknown@spam.example> refused',
    'smtp; 550 delivery error by mailer 5.1.1',
    'X-Other;',
  ])('that says something else, or nothing, under a general code or none: %s', async (answer) => {
    expect(await refused(answer)).toMatchObject({ kind: 'soft', recipient: 'ada@example.com' })
    expect(await refused(answer, '')).toMatchObject({ kind: 'soft', recipient: 'ada@example.com' })
  })

  test('has the code that the server gave, where its own is general', async () => {
    const listed = 'smtp; 554 listed at zen.spamhaus.org'
    expect(await refused('smtp; 554 5.7.1 content')).toMatchObject({ status: '5.7.1' })
    expect(await refused('smtp; 550 5.1.1 gone', '')).toMatchObject({ status: '5.1.1' })
    expect(await refused(listed)).toMatchObject({ status: '5.0.0' })
    expect(await refused(listed, '')).toMatchObject({ status: null })
    // A code that says something is not changed by another.
    expect(await refused('smtp; 550 5.7.1 no', 'Status: 5.1.1\r\n')).toMatchObject({
      kind: 'hard',
      status: '5.1.1',
    })
  })

  test('that has no answer of a server is read by the words above it, where they are of one address', async () => {
    const said = 'The following address failed:\r\n\r\n  ada@example.com\r\n    Unrouteable address\r\n'
    const one = 'Final-Recipient: rfc822; ada@example.com\r\nAction: failed\r\nStatus: 5.0.0\r\n'
    const report = async (said: string, fields: string) => (await read(dsn(fields, { said }))).bounce?.kind
    expect(await report(said, one)).toBe('hard')
    expect(await report('  ada@example.com\r\n    host mx: 550 user unknown\r\n', one)).toBe('hard')
    expect(await report('  ada@example.com\r\n    host mx: 554 spam\r\n', one)).toBe('soft')
    expect(await report(said, `${one}\r\n${one}`)).toBe('soft')
    expect(await report('It did not arrive.\r\n', one)).toBe('soft')
  })

  test('in base64, with the headers alone, or with another address before the last one', async () => {
    const more = 'Original-Recipient: rfc822;ada+news@example.com\r\n'
    const raw = dsn(perRecipient('failed', '5.1.1', more), {
      type: 'text/rfc822-headers',
      encoding: 'base64',
    })
    expect((await read(raw)).bounce).toMatchObject({
      recipient: 'ada+news@example.com',
      originalMessageId: ID,
    })
  })

  test('without an action, by its status', async () => {
    const report = (status: string) =>
      dsn(`Final-Recipient: rfc822; ada@example.com\r\nStatus: ${status}\r\n`)
    expect((await read(report('5.1.1'))).bounce).toMatchObject({ kind: 'hard', status: '5.1.1' })
    expect((await read(report('2.0.0'))).bounce).toBeNull()
  })

  test('names the one that failed among several', async () => {
    const raw = dsn(
      `${perRecipient('delivered', '2.0.0')}\r\nFinal-Recipient: rfc822; bo@example.com\r\nAction: failed (lost)\r\nStatus: 5.1.1\r\n`,
    )
    expect((await read(raw)).bounce).toMatchObject({ recipient: 'bo@example.com', kind: 'hard' })
  })

  test.each(['delivered', 'relayed', 'expanded'])('that says %s is no bounce', async (action) => {
    expect((await read(dsn(perRecipient(action, '2.0.0')))).bounce).toBeNull()
  })

  test.each([
    ['nothing', ''],
    ['no recipient', 'Reporting-MTA: dns; x\r\n'],
    ['bytes', '\u0000\u00ff\r\n\r\n\r\n'],
  ])('with %s in it is no bounce', async (_what, report) => {
    expect((await read(dsn(report))).bounce).toBeNull()
  })
})

describe('a mail that holds such a notification', () => {
  const failed = dsn(perRecipient('failed', '5.1.1'))
  const body = failed.slice(failed.indexOf('\r\n\r\n') + 4)
  const holding = async (fields: Record<string, string>) =>
    (await read(mailOf({ 'In-Reply-To': ID, ...fields }, body))).bounce
  const wrapping = async (fields: Record<string, string>) => {
    const inner = `--w\r\nContent-Type: ${REPORT}\r\n\r\n${body}--w\r\nContent-Type: text/plain\r\n\r\nScanned.\r\n--w--\r\n`
    return (await read(mailOf({ 'Content-Type': 'multipart/mixed; boundary=w', ...fields }, inner))).bounce
  }
  const MIXED = { 'Content-Type': 'multipart/mixed; boundary=b' }

  test.each([
    ['in a mail with files', 'multipart/mixed; boundary=b'],
    ['in a receipt', 'multipart/report; report-type=disposition-notification; boundary=b'],
    ['in what is no report by its name', 'multipart/reports; report-type=delivery-status; boundary=b'],
  ])('%s of a person is no bounce', async (_what, type) => {
    expect(await holding({ 'Content-Type': type })).toBeNull()
    expect(await holding({ 'Content-Type': type, 'Return-Path': '<ada@example.com>' })).toBeNull()
    expect(await holding({ 'Content-Type': type, 'Auto-Submitted': 'no' })).toBeNull()
  })

  test('wrapped by a person is none either', async () => {
    expect(await wrapping({})).toBeNull()
  })

  test.each([
    REPORT,
    'Multipart/Report; boundary="b"; Report-Type="delivery-status"',
    'multipart/report; boundary=b; report-type=global-delivery-status',
    'multipart/report; boundary=b',
  ])('as the whole mail is one, whoever sent it: %s', async (type) => {
    const bounce = { kind: 'hard', originalMessageId: ID, isOfServer: true }
    expect(await holding({ 'Content-Type': type })).toMatchObject(bounce)
  })

  test.each<[string, Record<string, string>]>([
    ['with an empty return path', { 'Return-Path': '<>' }],
    ['by its daemon', { From: 'MAILER-DAEMON@mx.example.com' }],
    ['that says that it is a machine', { 'Auto-Submitted': 'auto-replied' }],
  ])('from a mail server %s is one, though a gateway wrapped it', async (_what, fields) => {
    const bounce = { kind: 'hard', recipient: 'ada@example.com', originalMessageId: ID, isOfServer: true }
    expect(await wrapping(fields)).toMatchObject(bounce)
    expect(await holding({ ...MIXED, ...fields })).toMatchObject(bounce)
  })
})

describe('bounces that are no such notification', () => {
  test.each<[string, Record<string, string>, string, object]>([
    [
      'qmail',
      { From: 'MAILER-DAEMON@mail.example.com', Subject: 'failure notice' },
      `Hi. This is the qmail-send program at mail.example.com.\r\nI'm afraid I wasn't able to deliver your message to the following addresses.\r\nThis is a permanent error; I've given up. Sorry it didn't work out.\r\n\r\n<ada@example.com>:\r\nSorry, no mailbox here by that name. (#5.1.1)\r\n\r\n--- Below this line is a copy of the message.\r\n\r\n${COPY}`,
      { kind: 'hard', recipient: 'ada@example.com', status: '5.1.1', originalMessageId: ID },
    ],
    [
      'Exim',
      {
        From: 'Mail Delivery System <Mailer-Daemon@mx.example.com>',
        'X-Failed-Recipients': 'ada@example.com',
        Subject: 'Mail delivery failed: returning message to sender',
      },
      `This message was created automatically by mail delivery software.\r\n\r\nA message that you sent could not be delivered to one or more of its\r\nrecipients. This is a permanent error. The following address(es) failed:\r\n\r\n  ada@example.com\r\n    SMTP error from remote mail server after RCPT TO:<ada@example.com>:\r\n    host mx.example.com [192.0.2.1]: 550 Unrouteable address\r\n\r\n------ This is a copy of the message, including all the headers. ------\r\n\r\n${COPY}`,
      { kind: 'hard', recipient: 'ada@example.com', status: '5.0.0', originalMessageId: ID },
    ],
    [
      'Exim, delayed',
      { From: 'Mailer-Daemon@mx.example.com', Subject: 'Warning: message delayed 24 hours' },
      'A message that you sent has not yet been delivered to one or more of its\r\nrecipients after more than 24 hours on the queue. The address is: ada@example.com\r\n',
      { kind: 'delayed', recipient: 'ada@example.com' },
    ],
    [
      'Exchange',
      {
        From: 'Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.com>',
        Subject: 'Undeliverable: Re: Help',
      },
      `Delivery has failed to these recipients or groups:\r\n\r\nAda Lovelace (ada@example.com)<mailto:ada@example.com>\r\nThe email address you entered couldn't be found.\r\n\r\nDiagnostic information for administrators:\r\nRemote Server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup'\r\n\r\nOriginal message headers:\r\n\r\nMessage-ID: ${ID}\r\n`,
      { kind: 'hard', recipient: 'ada@example.com', status: '5.1.10', originalMessageId: ID },
    ],
    [
      'Exchange, of old',
      {
        'Return-Path': '<>',
        From: 'System Administrator <admin@example.com>',
        Subject: 'Undeliverable: Re: Help',
      },
      'Your message did not reach some or all of the intended recipients.\r\n\r\n      Subject: Re: Help\r\n\r\nThe following recipient(s) could not be reached:\r\n\r\n      ada@example.com on 1/5/2026 10:00 AM\r\n            The e-mail account does not exist at the organization this message was sent to.\r\n',
      { kind: 'hard', recipient: 'ada@example.com' },
    ],
    [
      'Microsoft 365, in German',
      { From: 'postmaster@example.com', Subject: 'Unzustellbar: Re: Help' },
      'Ihre Nachricht an ada@example.com konnte nicht zugestellt werden.\r\n\r\nada wurde unter example.com nicht gefunden. 550 5.1.10\r\n',
      { kind: 'hard', recipient: 'ada@example.com', status: '5.1.10' },
    ],
    [
      'Gmail',
      {
        From: 'Mail Delivery Subsystem <mailer-daemon@googlemail.com>',
        Subject: 'Delivery Status Notification (Failure)',
      },
      "** Address not found **\r\n\r\nYour message wasn't delivered to ada@example.com because the address couldn't be found, or is unable to receive mail.\r\n\r\nThe response was:\r\n\r\n550 5.1.1 The email account that you tried to reach does not exist.\r\n",
      { kind: 'hard', recipient: 'ada@example.com', status: '5.1.1' },
    ],
    [
      'Exim, of a mail that was taken for spam',
      { From: 'Mailer-Daemon@mx.example.com', 'X-Failed-Recipients': 'ada@example.com' },
      `A message that you sent could not be delivered to one or more of its\r\nrecipients. This is a permanent error. The following address(es) failed:\r\n\r\n  ada@example.com\r\n    host mx.example.com [192.0.2.1]\r\n    SMTP error from remote mail server after end of data:\r\n    550 High probability of spam\r\n\r\n------ This is a copy of the message. ------\r\n\r\n${COPY}`,
      { kind: 'soft', recipient: 'ada@example.com', status: '5.0.0', originalMessageId: ID },
    ],
    [
      'Exim, by way of a host that is named for it',
      { From: 'Mailer-Daemon@mx.example.com', 'X-Failed-Recipients': 'ada@example.com' },
      'A message that you sent could not be delivered:\r\n\r\n  ada@example.com\r\n    host relay.example.com [192.0.2.1]: 550 Recipient\r\n    unknown\r\n',
      { kind: 'hard', recipient: 'ada@example.com', status: '5.0.0' },
    ],
    [
      'Postfix, of a host that is listed',
      DAEMON,
      'This is the mail system at host mx.example.com.\r\n\r\n<ada@example.com>: host mx2.example.com[192.0.2.1] said: 554 Your host is\r\n    listed at zen.spamhaus.org (in reply to RCPT TO command)\r\n',
      { kind: 'soft', recipient: 'ada@example.com', status: '5.0.0' },
    ],
    [
      'without a reason',
      { From: 'postmaster@example.com', Subject: 'Undeliverable' },
      'Your message to ada@example.com could not be delivered.\r\n',
      { kind: 'soft', recipient: 'ada@example.com', status: null },
    ],
    [
      'Postfix',
      DAEMON,
      "This is the mail system at host mx.example.com.\r\n\r\nI'm sorry to have to inform you that your message could not\r\nbe delivered to one or more recipients.\r\n\r\n<ada@example.com>: host mx2.example.com[192.0.2.1] said: 550 5.1.1\r\n    <ada@example.com>: Recipient address rejected: User unknown\r\n",
      { kind: 'hard', recipient: 'ada@example.com', status: '5.1.1' },
    ],
    [
      'Sendmail',
      DAEMON,
      '   ----- The following addresses had permanent fatal errors -----\r\n<ada@example.com>\r\n\r\n   ----- Transcript of session follows -----\r\n550 5.1.1 <ada@example.com>... User unknown\r\n',
      { kind: 'hard', recipient: 'ada@example.com', status: '5.1.1' },
    ],
    [
      'Yahoo',
      { From: 'MAILER-DAEMON@yahoo.com', Subject: 'Failure Notice' },
      `Sorry, we were unable to deliver your message to the following address.\r\n\r\n<ada@example.com>:\r\n554: delivery error: dd This user doesn't have a yahoo.com account (ada@example.com) [0]\r\n\r\n--- Below this line is a copy of the message.\r\n\r\n${COPY}`,
      { kind: 'hard', recipient: 'ada@example.com', originalMessageId: ID },
    ],
    [
      'AOL',
      { From: 'MAILER-DAEMON@aol.com', Subject: 'Mail Delivery Problem' },
      'Your mail to the following recipients could not be delivered because they are not accepting mail from support@acme.example:\r\n\tada@example.com\r\n',
      // It is of the sender: another may well write there.
      { kind: 'soft', recipient: 'ada@example.com' },
    ],
    [
      'a full mailbox',
      { From: 'postmaster@example.com', Subject: 'Undeliverable' },
      "Unable to deliver your message: the recipient's mailbox is full.\r\n\r\n<ada@example.com>: 552 5.2.2 mailbox full\r\n",
      { kind: 'soft', recipient: 'ada@example.com', status: '5.2.2' },
    ],
  ])('%s', async (_name, fields, body, bounce) => {
    expect((await read(mailOf(fields, body))).bounce).toMatchObject(bounce)
  })

  test('a person who quotes such a sentence sends none', async () => {
    const body = "Your message wasn't delivered to ada@example.com, it says. Why?\r\n"
    expect((await read(mailOf({}, body))).bounce).toBeNull()
  })

  test('what anybody may write beside such a sentence makes no mail server of them', async () => {
    const body = "Your message wasn't delivered to ada@example.com\r\n"
    const bounceOf = async (fields: Record<string, string>) => (await read(mailOf(fields, body))).bounce
    expect(await bounceOf({ 'X-Failed-Recipients': 'ada@example.com' })).toMatchObject({ isOfServer: false })
    expect(await bounceOf({ 'Return-Path': '<>' })).toMatchObject({ isOfServer: true })
    expect(await bounceOf({ From: 'mailer-daemon@mx.example.com' })).toMatchObject({ isOfServer: true })
  })

  test('what a mail server sends for another reason is none', async () => {
    expect((await read(mailOf(DAEMON, 'Your quarantine has 3 new mails.\r\n'))).bounce).toBeNull()
  })
})
