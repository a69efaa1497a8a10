import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { templateFaults } from '../../src/config/template-check.ts'
import type { TemplateKind } from '../../src/config.ts'
import { DEFAULT_TEMPLATES } from '../../src/mail/default-templates.ts'
import { MARKER } from '../../src/mail/marker.ts'
import { answerSubject } from '../../src/mail/subject.ts'
import { escapeHtml, type TemplateValues, writeMail } from '../../src/mail/templates.ts'
import { countWork } from '../work.ts'

const VALUES: TemplateValues = {
  brand: 'Acme',
  name: 'Ada',
  subject: 'The export stops',
  body: 'Please try again.\n\n  It works now.',
  author: 'Bob',
  ticket: 'tkt_1',
  link: 'https://app.acme.example/tickets/tkt_1',
  reply: true,
  private: false,
}
const NOTHING: TemplateValues = { ...VALUES, name: '', author: '', link: '', reply: false }

describe('what a customer reads, where the brand has no templates', () => {
  test('an answer is what the agent wrote, and little else', () => {
    expect(writeMail('message', {}, VALUES)).toMatchObject({
      subject: 'Re: The export stops',
      text: `${MARKER}

Please try again.

  It works now.

Bob, Acme

The whole conversation: https://app.acme.example/tickets/tkt_1
`,
    })
    expect(writeMail('message', {}, NOTHING).text).toBe('Please try again.\n\n  It works now.\n\nAcme\n')
  })

  test('an acknowledgement says that it came, and promises nothing that is not so', () => {
    expect(writeMail('acknowledgement', {}, VALUES)).toMatchObject({
      subject: 'Re: The export stops',
      text: `${MARKER}

Hello Ada,

Thank you for your message. We have received it and will answer as soon as we can.

If there is more to say, reply to this mail.

Follow your request: https://app.acme.example/tickets/tkt_1

Acme
`,
    })
    expect(writeMail('acknowledgement', {}, NOTHING).text).toBe(`Hello,

Thank you for your message. We have received it and will answer as soon as we can.

Acme
`)
  })

  test('a notice says that there is an answer, and where', () => {
    expect(writeMail('notice', {}, { ...NOTHING, link: VALUES.link, private: true })).toMatchObject({
      subject: 'There is an answer to your request',
      text: `Hello,

There is an answer to your request.

Read it here: https://app.acme.example/tickets/tkt_1

Acme
`,
    })
    expect(writeMail('acknowledgement', {}, { ...VALUES, subject: '', private: true }).subject).toBe(
      'We received your request',
    )
  })

  test.each(['acknowledgement', 'message', 'notice'] as const)('%s: HTML says what the text says', (kind) => {
    for (const values of [VALUES, NOTHING]) {
      const { text, html } = whole(kind, values)
      const shown = shownBy(html)
      for (const line of text.split('\n').map((line) => line.trim())) {
        if (line !== '' && !line.includes('https://') && !line.includes('Acme')) expect(shown).toContain(line)
      }
      expect(shown).toContain('Acme')
      expect(html.includes('href="https://app.acme.example/tickets/tkt_1"')).toBe(values.link !== '')
      // Nothing that a reader would have to fetch.
      expect(html).not.toMatch(/src=|url\(|@import|<link|<script/i)
    }
  })

  test('the defaults hold to the rules of a template themselves', () => {
    for (const { subject, text, html } of Object.values(DEFAULT_TEMPLATES)) {
      for (const template of [subject, text, html]) expect(templateFaults(template)).toEqual([])
    }
  })
})

describe('a brand has templates of its own', () => {
  test('in text, and then the HTML says the same', () => {
    const { subject, text, html } = writeMail(
      'message',
      { message: { text: '{{author}} schrieb:\n{{body}}' } },
      { ...VALUES, body: '1 < 2' },
    )
    expect(subject).toBe('Re: The export stops')
    expect(text).toBe(`${MARKER}\n\nBob schrieb:\n1 < 2\n`)
    expect(html).toContain('Bob schrieb:<br>\n1 &#60; 2')
  })

  test('in both, with a marker where a reply reaches us, inside the body if there is one', () => {
    const own = {
      notice: { subject: '{{brand}}: neu', text: 'T', html: '<html><BODY class="a">H</BODY></html>' },
    }
    const { subject, text, html } = writeMail('notice', own, VALUES)
    expect([subject, text]).toEqual(['Acme: neu', `${MARKER}\n\nT\n`])
    expect(html).toMatch(new RegExp(`<BODY class="a">\\s*<div[^>]*>${MARKER}</div>H</BODY>`))
    expect(writeMail('notice', { notice: { html: 'H' } }, VALUES).html).toMatch(/^<div.*<\/div>H$/)
    expect(writeMail('notice', own, NOTHING)).toMatchObject({ text: 'T\n', html: own.notice.html })
  })
})

describe('what people write stays text', () => {
  const payloads = [
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    '{{link}} {{{body}}} {{> x}} {{#private}}',
    "' onmouseover='x",
    '{{=<% %>=}}<%& body %>',
    '&lt;b&gt;',
  ]

  test.each(payloads)('%s', (payload) => {
    const values = {
      ...VALUES,
      brand: payload,
      name: payload,
      subject: payload,
      body: payload,
      author: payload,
    }
    for (const kind of ['acknowledgement', 'message', 'notice'] as const) {
      const { html, text } = whole(kind, values)
      expect(html).not.toMatch(/<script|<img|<b>|onmouseover='/i)
      // The same elements as with harmless values, which have line breaks more.
      const elements = (html: string) => html.match(/<(?!br)[a-z]+/gi)
      expect(elements(html)).toEqual(elements(whole(kind, VALUES).html))
      if (kind === 'message') expect(text).toContain(payload)
    }
  })

  test('no attribute gets a value, where a brand’s own template has no quotes around one', () => {
    const own = { notice: { html: '<p title={{brand}}>' } }
    const { html } = writeMail('notice', own, { ...NOTHING, brand: 'x onclick=alert(1)' })
    expect(html).toBe('<p title=x onclick&#61;alert(1)>')
  })

  test('any text is shown as it is, with its lines and its indentation', () => {
    const line = fc.string({ unit: 'grapheme' }).map((text) => text.replace(/[\r\n\0\p{Cc}]/gu, ''))
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const html = escapeHtml(lines.join('\n'))
        const shown = html
          .split('<br>\n')
          .map((part) =>
            part
              .replaceAll('&nbsp;', ' ')
              .replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code))),
          )
        expect(shown).toEqual(lines.length === 0 ? [''] : lines)
        expect(html.replaceAll('<br>', '')).not.toMatch(/[<>"']/)
      }),
    )
  })

  test('what is too long for HTML that a reader shows whole is text alone', () => {
    const long = { ...VALUES, body: '< a  b\n'.repeat(300_000) }
    const { text, html } = writeMail('message', {}, long)
    expect(html).toBeNull()
    expect(text.startsWith(`-- Please reply above this line --\n\n${long.body}`.trimEnd())).toBe(true)
    expect(whole('message', { ...VALUES, body: 'x'.repeat(60_000) }).html).toContain('x'.repeat(60_000))
  })
})

test('an answer says Re: once', () => {
  expect(
    [
      'Export',
      'Re: Export',
      'RE: re:Export',
      'AW: Re[2]: Export',
      'Regarding: Export',
      'Re',
      '',
      'Re: ',
      'Re：Export',
    ].map(answerSubject),
  ).toEqual([
    'Re: Export',
    'Re: Export',
    'Re: Export',
    'Re: Export',
    'Re: Regarding: Export',
    'Re: Re',
    'Re:',
    'Re:',
    'Re: Export',
  ])
})

test('a subject of nothing but white space, prefixes and no end is read at once', () => {
  const worked = countWork()
  const blank = ' '.repeat(1_000_000)
  expect(answerSubject(`re${blank}x`)).toBe(`Re: re${blank}x`)
  expect(answerSubject(`re [1]${blank}x`)).toBe(`Re: re [1]${blank}x`)
  expect(answerSubject(`${blank}AW [2] : Export`)).toBe('Re: Export')
  expect(answerSubject('re: '.repeat(200_000))).toBe('Re:')
  expect(worked()).toBeLessThan(1000)
})

/** A mail by the default template that is short enough for HTML. */
function whole(kind: TemplateKind, values: TemplateValues) {
  const { html, ...written } = writeMail(kind, {}, values)
  if (html === null) throw new Error('no HTML')
  return { ...written, html }
}

/** What a reader sees of the HTML that these templates make. */
function shownBy(html: string): string {
  return html
    .replace(/<head>[\s\S]*<\/head>/, '')
    .replace(/<[^>]*>/g, '')
    .replaceAll('&nbsp;', ' ')
    .replaceAll('&middot;', '\u00b7')
    .replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))
}
