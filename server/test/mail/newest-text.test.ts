import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MARKER } from '../../src/mail/marker.ts'
import { newestText } from '../../src/mail/newest-text.ts'
import { countWork } from '../work.ts'

const OURS = [MARKER, '', 'Which lamp is on?', '', 'Bea, Acme']
const QUOTED = OURS.map((line) => `> ${line}`)
const ATTRIBUTION = 'On Mon, 5 Jan 2026 at 10:00, Acme Support <support@acme.example> wrote:'

function lines(...all: (string | string[])[]): string {
  return all.flat().join('\n')
}

describe('what was written is kept', () => {
  test.each([
    ['a text that quotes nothing', 'The red one.\n\nAda'],
    ['what stands after two dashes', 'Two cases:\n--\nthe red lamp\n--\nthe green lamp'],
    ['what looks like a signature of a phone, further up', 'Sent from my desk:\n\nthe red one'],
    ['a signature that is all there is', '-- \nThe red one'],
    ['a long text after the delimiter of signatures', `Look:\n-- \n${'a line\n'.repeat(11)}end`],
    ['a sentence that ends like an announcement', 'On Monday Bea wrote:\n\nuse the red one.\n\nI did.'],
    ['a line with a key of a header', 'From: the second floor\nit does not work.'],
    ['greetings in the middle', 'Cheers,\nAda\n\nPS: it is the red one.'],
  ])('%s', (_what, text) => {
    expect(newestText(text)).toEqual({ text, uncertain: false })
  })

  test('lines that a person began with >, though nobody can tell whose they are', () => {
    const text = '> lamp --list\nred\n> lamp --off\nit stays on'
    expect(newestText(text)).toEqual({ text, uncertain: true })
  })

  test('what stands between quoted lines, with them', () => {
    const text = lines(ATTRIBUTION, QUOTED.slice(0, 3), '', 'The red one.', '', QUOTED.slice(3))
    expect(newestText(text)).toEqual({ text: '> Which lamp is on?\n\nThe red one.', uncertain: false })
  })

  test('what stands below quoted lines, without them', () => {
    expect(newestText(lines(ATTRIBUTION, QUOTED, '', 'The red one.'))).toEqual({
      text: 'The red one.',
      uncertain: false,
    })
  })

  test('what stands above and below, and it is said that this may be too much', () => {
    const text = lines('Hello,', '', ATTRIBUTION, QUOTED, '', 'The red one.')
    expect(newestText(text)).toEqual({ text: 'Hello,\n\nThe red one.', uncertain: true })
  })

  test('a list of a person, above the announcement of our mail', () => {
    const list = 'Name: Ada\nMail: ada@example.com\nModel: L 5'
    expect(newestText(lines(list, '', ATTRIBUTION, QUOTED)).text).toBe(list)
    expect(newestText(list)).toEqual({ text: list, uncertain: false })
  })

  test('lines that a person began with >, above our quoted mail', () => {
    const text = lines('> lamp --list', 'says red.', '', ATTRIBUTION, '', QUOTED)
    expect(newestText(text)).toEqual({ text: '> lamp --list\nsays red.', uncertain: false })
  })
})

describe('what was quoted is cut', () => {
  test.each([
    ['at the marker', lines(OURS)],
    ['with a line drawn above', lines('________________________________', OURS)],
    ['with stars and other dashes', lines('*– Please reply  above this line —*', 'Which lamp?')],
    [
      'with a bar',
      lines(
        ATTRIBUTION,
        '',
        OURS.map((line) => `| ${line}`),
      ),
    ],
    [
      'twice quoted',
      lines(
        ATTRIBUTION,
        OURS.map((line) => `>> ${line}`),
      ),
    ],
    ['without a blank line above', lines(ATTRIBUTION, QUOTED)],
    [
      'in a language that nobody thought of',
      lines('2026. jan. 5. 10:00, Acme <support@acme.example> ezt írta:', QUOTED),
    ],
    [
      'with the announcement in pieces',
      lines('On Mon, 5 Jan 2026 at 10:00, Acme Support <', 'support@acme.example> wrote:', '', QUOTED),
    ],
    [
      'below a forwarded header',
      lines(
        '-----Original Message-----',
        'From: Acme <support@acme.example>',
        'Sent: Monday',
        'To: Ada; a very long list of people who',
        'were also told',
        'Subject: Lamp',
        '',
        OURS,
      ),
    ],
  ])('%s', (_how, history) => {
    expect(newestText(lines('The red one.', '', history))).toEqual({ text: 'The red one.', uncertain: false })
  })

  test.each([
    ['Sent from my iPhone'],
    ['Von meinem iPhone gesendet'],
    ['Envoyé de mon iPhone'],
    ['Gesendet mit der mobilen Mail App'],
    ['Get Outlook for iOS<https://aka.ms/o0ukef>'],
    ['-- \nAda Lovelace\nAnalytical Engines'],
  ])('and with it, at the end, %s', (signature) => {
    expect(newestText(lines('The red one.', '', signature, '', ATTRIBUTION, QUOTED)).text).toBe(
      'The red one.',
    )
    expect(newestText(lines('The red one.', '', signature)).text).toBe('The red one.')
  })
})

describe('what somebody else wrote above our mail is cut, and nobody carries the rest on unseen', () => {
  const twice = OURS.map((line) => `>> ${line}`)
  const sent = ['From: Alice <alice@acme.example>', 'Sent: Monday', 'To: Bea', 'Subject: Lamp']
  const ours = [
    'From: Acme <support@acme.example>',
    'Sent: Monday',
    'To: Alice',
    'Subject: Lamp',
    '',
    ...OURS,
  ]
  test.each([
    [
      'quoted, and announced',
      lines(
        'On Mon, 5 Jan 2026 Alice <alice@acme.example> wrote:',
        '> canary',
        '>',
        `> ${ATTRIBUTION}`,
        twice,
      ),
    ],
    ['below a header block', lines(sent, '', 'canary', '', ours)],
    ['sent on', lines('---------- Forwarded message ---------', sent, '', 'canary', '', ATTRIBUTION, QUOTED)],
  ])('%s', (_how, history) => {
    expect(newestText(lines('The red one.', '', history))).toEqual({ text: 'The red one.', uncertain: true })
  })

  test('quoted, and announced by nothing that is known: it stays, and that is said', () => {
    const text = lines('The red one.', '', 'Alice kirjutas', '> canary', '>', `> ${ATTRIBUTION}`, twice)
    expect(newestText(text)).toMatchObject({ uncertain: true })
  })
})

describe('in a language that nobody thought of, where an address must not be carried on', () => {
  test('a header block is cut', () => {
    const block = [
      'Feladó: Acme <support@acme.example>',
      'Küldve: hétfő 10:00',
      'Címzett: bea@acme.example',
      'Tárgy: Lámpa',
    ]
    expect(newestText(lines('The red one.', '', block, '', OURS))).toEqual({
      text: 'The red one.',
      uncertain: false,
    })
  })

  test('a piece of an announcement stays, and makes it uncertain', () => {
    const text = lines('The red one.', '', 'Acme <support@acme.example> kirjutas', '', OURS)
    expect(newestText(text)).toMatchObject({ uncertain: true })
    expect(newestText(lines('The red one.', '', 'Svar fra Acme:', QUOTED))).toMatchObject({ uncertain: true })
  })
})

describe('without our marker', () => {
  const old = ['> Which lamp is on?', '>', '> Bea']
  test.each([
    ['English', ATTRIBUTION],
    ['German', 'Am 05.01.26 um 10:00 schrieb Acme Support:'],
    ['French', 'Le 05/01/2026 à 10:00, Acme Support a écrit\u00a0:'],
    ['Spanish', 'El lun, 5 ene 2026 a las 10:00, Acme (<support@acme.example>) escribió:'],
    ['Italian', 'Il giorno lun 5 gen 2026 alle ore 10:00 Acme <support@acme.example> ha scritto:'],
    ['Dutch', 'Op ma 5 jan 2026 om 10:00 schreef Acme <support@acme.example>:'],
    ['Polish', 'pon., 5 sty 2026 o 10:00 Acme <support@acme.example> napisał(a):'],
    ['Chinese', '在 2026年1月5日 10:00，Acme <support@acme.example> 写道：'],
  ])('an announcement in %s sets the history apart', (_language, announcement) => {
    expect(newestText(lines('Red.', '', announcement, '', old))).toEqual({ text: 'Red.', uncertain: false })
  })

  test('a header block or a line of dashes does, and nobody can tell whether it is history', () => {
    const block = [
      'From: Acme <support@acme.example>',
      'Sent: Monday',
      'To: Ada',
      'Subject: Lamp',
      '',
      'Which lamp?',
    ]
    expect(newestText(lines('Red.', '', block))).toEqual({ text: 'Red.', uncertain: true })
    const dashes = ['-----Ursprüngliche Nachricht-----', 'Which lamp?']
    expect(newestText(lines('Rot.', '', dashes))).toEqual({ text: 'Rot.', uncertain: true })
    const own = ['From: London', 'To: Paris', 'Date: 5 May 2026', '', 'It was cancelled.']
    expect(newestText(lines('My journey is', own))).toMatchObject({ uncertain: true })
  })

  test('history that nothing quotes is cut where the reply parser finds it, and that is not certain', () => {
    const text = lines('Red.', '', ATTRIBUTION, '', 'Which lamp is on?')
    expect(newestText(text)).toEqual({ text: 'Red.', uncertain: true })
  })

  test('a text that is too long for the reply parser stays whole', () => {
    const text = 'a long line of words\n'.repeat(4000).trim()
    expect(newestText(text)).toEqual({ text, uncertain: true })
  })
})

describe('nothing that was written', () => {
  test.each([
    ['', ''],
    ['blank', ' \n\n'],
    ['only the marker and what is below', lines(OURS)],
    ['only a quote', lines(ATTRIBUTION, QUOTED)],
  ])('%s', (_what, text) => {
    expect(newestText(text)).toEqual({ text: '', uncertain: true })
  })
})

test('whatever is written, nothing is added to it', () => {
  const line = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.constantFrom(
      '',
      ...OURS,
      ...QUOTED,
      ATTRIBUTION,
      '-- ',
      '--',
      '> ',
      '-----Original Message-----',
      'From: a',
      'To: b',
      'Subject: c',
    ),
  )
  fc.assert(
    fc.property(fc.array(line, { maxLength: 40 }), (all) => {
      const whole = all.join('\n').replaceAll('\r', '')
      const rest = whole.split('\n').map((line) => line.trim())
      for (const line of newestText(whole).text.split('\n')) {
        const at = line.trim() === '' ? 0 : rest.indexOf(line.trim())
        expect(at).not.toBe(-1)
        if (line.trim() !== '') rest.splice(0, at + 1)
      }
    }),
    { numRuns: 500 },
  )
})

describe('no text takes long', () => {
  const full = (piece: string, length = 64 * 1024) => piece.repeat(Math.floor(length / piece.length))
  test.each([
    ['Op a \n'],
    ['On a b\n'],
    ['在 \n'],
    ['abc. \n'],
    ['a\n\n\n'],
    ['\n'],
    [`${' '.repeat(500)}\n`],
    [`${'On '.repeat(330)}\n\n`],
    [`${'2000 from < '.repeat(80)}\n\n`],
    ['2000 from < '],
    ['> On a@b wrote\nx\n'],
    [`> ${'On a@b 1/1 wrote '.repeat(30)}\nx\n`],
    ['From: x\nx\n'],
    ['-----Original Message----\n'],
    ['-- \n'],
    ['>'],
    ['> > '],
    ['_'],
  ])('64 KiB of %j', (piece) => {
    const worked = countWork()
    newestText(full(piece))
    expect(worked()).toBeLessThan(1500)
  })

  test.each([['\n'], ['>\n'], ['a'], [`${MARKER}\n`], ['> a\nb\n']])(
    '25 MiB of %j, with the marker and without',
    (piece) => {
      const text = full(piece, 25 * 1024 * 1024)
      const worked = countWork()
      newestText(text)
      newestText(`hello\n> ${MARKER}\n${text}`)
      expect(worked()).toBeLessThan(1500)
    },
  )
})
