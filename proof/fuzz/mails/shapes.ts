import { whole } from '../../chaos/random.ts'
import { CANARY } from '../values.ts'

/** Who writes to whom, for mails that may become anything that a mail can become. */
export type Correspondence = {
  /** The address of someone who may speak on the tickets. */
  from: string
  /** Where a mail may go: the brand's own address, and the signed ones of tickets. */
  to: string[]
  /** Message-IDs of ours. */
  ours: string[]
  /** Whose Authentication-Results the brand believes. */
  authservId: string
}

type Random = () => number
type Shape = (random: Random, who: Correspondence) => string

/** Mails as mail programs and servers write them, each line with CRLF at its end. */
export const SHAPES: Shape[] = [
  plain,
  alternative,
  withFiles,
  encoded,
  forwarded,
  bounce,
  vacation,
  tnef,
  calendar,
]

/** A mail that nobody has changed yet. */
export function shapeOf(random: Random, who: Correspondence): Buffer {
  const shape = pick(random, SHAPES)
  return Buffer.from(shape(random, who).replaceAll('\n', '\r\n'), 'latin1')
}

export function pick<T>(random: Random, all: readonly T[]): T {
  const one = all[Math.floor(random() * all.length)]
  if (one === undefined) throw new Error('there is nothing to pick from')
  return one
}

function head(random: Random, who: Correspondence, more: string): string {
  const domain = who.from.slice(who.from.lastIndexOf('@') + 1)
  const passed =
    random() < 0.8 ? `Authentication-Results: ${who.authservId};\n dmarc=pass header.from=${domain}\n` : ''
  const thread =
    random() < 0.3 ? `In-Reply-To: ${pick(random, who.ours)}\nReferences: ${who.ours.join('\n ')}\n` : ''
  const id = whole(random, 0, 2 ** 46)
  return `${passed}From: ${CANARY} Lovelace <${who.from}>\nTo: ${pick(random, who.to)}
Subject: Re: ${CANARY} order ${id}\nDate: Mon, 1 Jan 2035 10:00:00 +0100
Message-ID: <${id}@${domain}>\n${thread}MIME-Version: 1.0\n${more}\n`
}

const TEXT = `It has come, ${CANARY}. Thank you!

On Mon, 1 Jan 2035 at 09:00, Acme Support <support@acme.example> wrote:

> -- Please reply above this line --
> Hello,
>> it is on its way.
--
Ada
`

function plain(random: Random, who: Correspondence): string {
  return `${head(random, who, 'Content-Type: text/plain; charset=utf-8\n')}${TEXT}`
}

function alternative(random: Random, who: Correspondence): string {
  return `${head(random, who, 'Content-Type: multipart/alternative; boundary="b1"\n')}--b1
Content-Type: text/plain; charset="iso-8859-1"
Content-Transfer-Encoding: quoted-printable

Sch=F6n!=20=
${TEXT}
--b1
Content-Type: text/html; charset=utf-8

<html><head><style>p{color:red}</style></head><body onload="alert(1)"><p>It has come, ${CANARY}.</p>
<img src=x onerror=alert(1)><a href="javascript:alert(1)">x</a><div class="gmail_quote"><blockquote>
-- Please reply above this line --<script>alert(1)</script></blockquote></div></body></html>
--b1--
`
}

function withFiles(random: Random, who: Correspondence): string {
  const files = Array.from({ length: whole(random, 1, 5) }, (_, index) => {
    const content = Buffer.alloc(whole(random, 0, 3000), index + 1).toString('base64')
    return `--b2
Content-Type: application/pdf; name="=?utf-8?Q?${CANARY}=C3=BC.pdf?="
Content-Disposition: attachment; filename*0*=utf-8''${CANARY}%C3%BC; filename*1=".pdf"
Content-Transfer-Encoding: base64

${content.replace(/.{76}/g, '$&\n')}
`
  })
  return `${head(random, who, 'Content-Type: multipart/mixed; boundary=b2\n')}--b2
Content-Type: text/plain

${TEXT}
${files.join('')}--b2--
`
}

function encoded(random: Random, who: Correspondence): string {
  const charset = pick(random, ['utf-8', 'utf-16le', 'iso-2022-jp', 'gb18030', 'x-unknown', 'us-ascii'])
  const body = Buffer.from(`${TEXT}\u{1f600} \u3042`.repeat(whole(random, 1, 20))).toString('base64')
  const type = `Content-Type: text/plain; charset=${charset}\nContent-Transfer-Encoding: base64\n`
  return `${head(random, who, type)}${body.replace(/.{76}/g, '$&\n')}\n`
}

function forwarded(random: Random, who: Correspondence): string {
  return `${head(random, who, 'Content-Type: multipart/mixed; boundary="b 3"\n')}--b 3
Content-Type: text/plain; charset=utf-8

See below.

--b 3
Content-Type: message/rfc822

${alternative(random, who)}
--b 3--
`
}

function bounce(random: Random, who: Correspondence): string {
  const report =
    'Content-Type: multipart/report; report-type=delivery-status; boundary="b4"\nReturn-Path: <>\n'
  return `${head(random, who, report)}--b4
Content-Type: text/plain

It could not be delivered.

--b4
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com

Final-Recipient: rfc822; ${who.from}
Action: failed
Status: 5.${whole(random, 0, 9)}.1

--b4
Content-Type: text/rfc822-headers

Message-ID: ${pick(random, who.ours)}
--b4--
`
}

function vacation(random: Random, who: Correspondence): string {
  const field = pick(random, [
    'Auto-Submitted: auto-replied',
    'Precedence: bulk',
    'X-Autoreply: yes',
    'List-Id: <l.x>',
  ])
  return `${head(random, who, `${field}\nContent-Type: text/plain\n`)}I am away, ${CANARY}.\n`
}

function tnef(random: Random, who: Correspondence): string {
  const bytes = Buffer.concat([Buffer.from('789f3e22', 'hex'), Buffer.alloc(whole(random, 0, 500), 7)])
  return `${head(random, who, 'Content-Type: multipart/mixed; boundary=b5\n')}--b5
Content-Type: text/plain

${TEXT}
--b5
Content-Type: application/ms-tnef; name=winmail.dat
Content-Transfer-Encoding: base64

${bytes.toString('base64')}
--b5--
`
}

function calendar(random: Random, who: Correspondence): string {
  return `${head(random, who, 'Content-Type: multipart/related; boundary=b6; type="text/html"\n')}--b6
Content-Type: text/html

<p>${CANARY}<img src="cid:a"></p>
--b6
Content-Type: image/png
Content-ID: <a>
Content-Disposition: inline
Content-Transfer-Encoding: base64

iVBORw0KGgo=
--b6
Content-Type: text/calendar; method=REQUEST

BEGIN:VCALENDAR
END:VCALENDAR
--b6--
`
}
