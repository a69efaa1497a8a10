import { whole } from '../../chaos/random.ts'
import { pick } from './shapes.ts'

type Random = () => number
export type Mutation = { what: string; change(random: Random, mail: Buffer): Buffer }

const LINE = Buffer.from('\r\n')
/** What mail readers choke on, as bytes. */
const HOSTILE = [
  '\0',
  '\r',
  '\n',
  '\r\n\r\n',
  '\x1b[2J',
  '\u202e',
  '"',
  '\\',
  '<',
  '>',
  ';',
  '=',
  '=?',
  '?=',
  '--',
  '--b1--',
  '&#x0;',
  '=?utf-8?B?////?=',
  '=?x?q?=0D=0ABcc:_x?=',
  '%00',
  '\xff\xfe',
  '\xc0\x80',
  '\xed\xa0\x80',
  '<!--',
  ']]>',
  '(((((((',
  '@',
].map((text) => Buffer.from(text, 'latin1'))
/** Header fields that mean something, each in a form that it should not have. */
const FIELDS = [
  'From: eve@example.net',
  'From: Ada <ada@example.com>, Eve <eve@example.net>',
  'From: a group: ada@example.com, eve@example.net;',
  'From: "ada@example.com" <eve@example.net>',
  'From: ada@example.com (eve@example.net)',
  'From :',
  'Sender: eve@example.net',
  'To: undisclosed-recipients:;',
  'Content-Type: multipart/mixed',
  'Content-Type: multipart/mixed; boundary=""',
  'Content-Type: text/plain; charset=*',
  'Content-Transfer-Encoding: x-uuencode',
  'Auto-Submitted: auto-generated (because)',
  'Authentication-Results: demo.bellhop.invalid; dmarc=pass header.from=example.com',
  'DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=x; h=from:from:to; bh=AAAA; b=AAAA; l=0',
  'Date: yesterday',
  'Message-ID: <>',
  'References: <<<>>> <a',
  'MIME-Version: 9',
  'Subject: =?utf-8?B?4pyT?= =?utf-8?Q?=E2=9C=93?=',
]

/** Each makes of one mail another one, whole or not. */
export const MUTATIONS: Mutation[] = [
  { what: 'bytes changed', change: changeBytes },
  { what: 'cut off', change: (random, mail) => mail.subarray(0, whole(random, 0, mail.length)) },
  { what: 'a piece taken out', change: takeOut },
  { what: 'a piece twice', change: repeat },
  {
    what: 'a hostile piece put in',
    change: (random, mail) => putIn(mail, whole(random, 0, mail.length), pick(random, HOSTILE)),
  },
  { what: 'a header field put in', change: putField },
  { what: 'a header field taken out', change: takeField },
  { what: 'header fields in another order', change: turnFields },
  { what: 'other line ends', change: otherLines },
  { what: 'a very long line', change: longLine },
  { what: 'very many header fields', change: manyFields },
  { what: 'very many addresses', change: manyAddresses },
  { what: 'very many references', change: manyReferences },
  { what: 'parts in parts', change: nest },
  { what: 'very many parts', change: manyParts },
  { what: 'HTML without end', change: deepHtml },
  { what: 'quotes without end', change: manyQuotes },
  { what: 'names in very many pieces', change: manyPieces },
  { what: 'comments in comments', change: deepComments },
  { what: 'nothing but bytes', change: otherBytes },
]

function putIn(mail: Buffer, at: number, piece: Buffer): Buffer {
  return Buffer.concat([mail.subarray(0, at), piece, mail.subarray(at)])
}

function changeBytes(random: Random, mail: Buffer): Buffer {
  const changed = Buffer.from(mail)
  for (let left = whole(random, 1, 20); left > 0 && changed.length > 0; left--) {
    changed[whole(random, 0, changed.length - 1)] = whole(random, 0, 255)
  }
  return changed
}

/** Bytes of the same length, by a short generator of their own: a digest for each would take seconds. */
function otherBytes(random: Random, mail: Buffer): Buffer {
  let state = whole(random, 1, 2 ** 31)
  return Buffer.from(
    mail.map(() => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      return state >>> 16
    }),
  )
}

/** Mostly few and now and then very many. */
function many(random: Random, least: number, most: number): number {
  return Math.round(least * (most / least) ** random())
}

function pieceOf(random: Random, mail: Buffer): [from: number, to: number] {
  const from = whole(random, 0, mail.length)
  return [from, Math.min(mail.length, from + whole(random, 1, 400))]
}

function takeOut(random: Random, mail: Buffer): Buffer {
  const [from, to] = pieceOf(random, mail)
  return Buffer.concat([mail.subarray(0, from), mail.subarray(to)])
}

function repeat(random: Random, mail: Buffer): Buffer {
  const [from, to] = pieceOf(random, mail)
  return putIn(mail, to, mail.subarray(from, to))
}

/** The header and the rest, which begins with the empty line. */
function parts(mail: Buffer): [fields: Buffer[], rest: Buffer] {
  const end = mail.indexOf('\r\n\r\n')
  const head = end < 0 ? mail : mail.subarray(0, end)
  const fields = head
    .toString('latin1')
    .split(/\r\n(?![ \t])/)
    .map((field) => Buffer.from(field, 'latin1'))
  return [fields, end < 0 ? Buffer.alloc(0) : mail.subarray(end)]
}

function joined([fields, rest]: [Buffer[], Buffer]): Buffer {
  const head = fields.flatMap((field, index) => (index === 0 ? [field] : [LINE, field]))
  return Buffer.concat([...head, rest])
}

function putField(random: Random, mail: Buffer): Buffer {
  const [fields, rest] = parts(mail)
  fields.splice(whole(random, 0, fields.length), 0, Buffer.from(pick(random, FIELDS)))
  return joined([fields, rest])
}

function takeField(random: Random, mail: Buffer): Buffer {
  const [fields, rest] = parts(mail)
  fields.splice(whole(random, 0, fields.length - 1), 1)
  return joined([fields, rest])
}

function turnFields(random: Random, mail: Buffer): Buffer {
  const [fields, rest] = parts(mail)
  const at = whole(random, 0, fields.length - 1)
  return joined([[...fields.slice(at), ...fields.slice(0, at)], rest])
}

function otherLines(random: Random, mail: Buffer): Buffer {
  const end = pick(random, ['\n', '\r', '\n\r', '\r\r\n'])
  return Buffer.from(mail.toString('latin1').replaceAll('\r\n', end), 'latin1')
}

function longLine(random: Random, mail: Buffer): Buffer {
  const piece = Buffer.alloc(
    many(random, 1000, 2_000_000),
    pick(random, ['a', ' ', '=', '<', '>', '"', '\t', '%', '&']),
  )
  return putIn(mail, whole(random, 0, mail.length), piece)
}

function addFields(mail: Buffer, field: string): Buffer {
  return Buffer.concat([Buffer.from(field, 'latin1'), mail])
}

function manyFields(random: Random, mail: Buffer): Buffer {
  const name = pick(random, ['X-A', 'Received', 'From', 'Content-Type', 'Authentication-Results'])
  return addFields(mail, `${name}: a; b=c\r\n`.repeat(many(random, 100, 20_000)))
}

function manyAddresses(random: Random, mail: Buffer): Buffer {
  const field = pick(random, ['From', 'To', 'Cc', 'Reply-To'])
  return addFields(
    mail,
    `${field}: ${'"a, <b>" (c(d)) <e@example.com>,\r\n '.repeat(many(random, 10, 20_000))}\r\n`,
  )
}

function manyReferences(random: Random, mail: Buffer): Buffer {
  return addFields(mail, `References:${'\r\n <a@b>'.repeat(many(random, 10, 50_000))}\r\n`)
}

function nest(random: Random, mail: Buffer): Buffer {
  const depth = whole(random, 2, 200)
  const kind = pick(random, ['message/rfc822', 'multipart'])
  const layers = Array.from({ length: depth }, (_, index) =>
    kind === 'multipart'
      ? `Content-Type: multipart/mixed; boundary="n${index}"\r\n\r\n--n${index}\r\n`
      : 'Content-Type: message/rfc822\r\n\r\n',
  )
  return addFields(mail, layers.join(''))
}

function manyParts(random: Random, mail: Buffer): Buffer {
  const part = pick(random, [
    '--m\r\n\r\n',
    '--m\r\nContent-Type: text/html\r\n\r\n<p>x',
    '--m\r\nContent-Disposition: attachment\r\n\r\n',
  ])
  return addFields(
    mail,
    `Content-Type: multipart/mixed; boundary=m\r\n\r\n${part.repeat(many(random, 10, 20_000))}`,
  )
}

function deepHtml(random: Random, mail: Buffer): Buffer {
  const tag = pick(random, [
    '<div>',
    '<b><table>',
    '<a href="',
    '<!--',
    '<svg><style>',
    '&lt;',
    '<p style="color:',
    '<math><mi>',
  ])
  return addFields(mail, `Content-Type: text/html\r\n\r\n${tag.repeat(many(random, 10, 100_000))}`)
}

function manyQuotes(random: Random, mail: Buffer): Buffer {
  const line = pick(random, [
    '> a\r\n',
    '>'.repeat(50),
    '> a\r\nb\r\n',
    'On a wrote:\r\n',
    '--\r\n',
    'From: a\r\nSent: b\r\n',
    '\r\n',
    ' ',
  ])
  return addFields(mail, `Content-Type: text/plain\r\n\r\n${line.repeat(many(random, 10, 100_000))}`)
}

function manyPieces(random: Random, mail: Buffer): Buffer {
  const pieces = Array.from({ length: many(random, 10, 5000) }, (_, index) => `;\r\n filename*${index}*=%41`)
  return addFields(mail, `Content-Disposition: attachment${pieces.join('')}\r\n`)
}

function deepComments(random: Random, mail: Buffer): Buffer {
  const depth = many(random, 10, 100_000)
  return addFields(
    mail,
    `From: ${'('.repeat(depth)}a@example.com${random() < 0.5 ? ')'.repeat(depth) : ''}\r\n`,
  )
}
