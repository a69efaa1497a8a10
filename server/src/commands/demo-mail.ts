import { randomUUID } from 'node:crypto'
import { isMailbox } from '@bellhop/contract'
import { type BrandReply, type Environment, readEnvironment } from '../config.ts'
import { composeMail } from '../connectors/mail-message.ts'
import { DEMO_AUTHSERV_ID, DEMO_NAMES, demoBrands } from '../demo.ts'
import { OperatorError } from '../errors.ts'
import { fromId } from '../ids.ts'
import { MARKER } from '../mail/marker.ts'
import { signReplyAddress } from '../mail/reply-address.ts'

export type DemoMailRequest = {
  brand: string
  /** Whose mail it is. */
  from: string
  text: string
  /** `tkt_…`, of which it is an answer; without it the mail asks something new. */
  ticket?: string | undefined
}

/** `bellhop demo-mail`: one mail of a customer and nothing else on standard output, for `bellhop inbound`. */
export async function demoMailCommand(request: DemoMailRequest, out: NodeJS.WritableStream): Promise<void> {
  out.write(await writeDemoMail(readEnvironment(process.env), request))
}

/**
 * A mail from a customer to a demo brand, as the brand's mail server would hand it over: with the result of its
 * authentication on top (RFC 8601), which the demo brands believe, and where it is an answer to the ticket's signed
 * address, with the marker line quoted. Nothing is sent: the demo works offline.
 * @param now milliseconds since 1970
 * @throws OperatorError where a brands file is named, or with one line for each option that is wrong
 */
export async function writeDemoMail(
  environment: Pick<Environment, 'dataDir' | 'brandsFile'>,
  request: DemoMailRequest,
  now: () => number = Date.now,
): Promise<Buffer> {
  if (environment.brandsFile !== null) {
    throw new OperatorError(
      'There is demo mail only while BRANDS_FILE is unset: whose mail a brand believes, its brands file says.',
    )
  }
  const { brand: brandId, from, text } = request
  const mistakes = mistakesOf(request)
  if (mistakes.length > 0) throw new OperatorError(mistakes.join('\n'))
  const { brands } = await demoBrands(environment.dataDir)
  const reply = brands.find(({ id }) => id === brandId)?.reply
  if (!reply) throw new Error('a demo brand has no reply address')
  const domain = from.slice(from.lastIndexOf('@') + 1)
  const date = new Date(now())
  const isAnswer = request.ticket !== undefined
  const mail = await composeMail({
    from: { name: '', address: from },
    to: { name: '', address: addressOf(reply, request) },
    replyTo: null,
    subject: isAnswer ? 'Re: Your request' : subjectOf(text),
    body: isAnswer
      ? `${text}\n\n${quoted(`${DEMO_NAMES[brandId]} <${reply.local}@${reply.domain}>`, date)}`
      : `${text}\n`,
    html: null,
    messageId: `<${randomUUID()}@${domain}>`,
    thread: { inReplyTo: null, references: [] },
    autoSubmitted: null,
    ticketId: null,
    date,
    attachments: [],
  })
  const result = `Authentication-Results: ${DEMO_AUTHSERV_ID};\r\n dmarc=pass header.from=${domain}\r\n`
  return Buffer.concat([Buffer.from(result), ...mail.pieces()])
}

function addressOf(reply: BrandReply, { brand: brandId, from, ticket }: DemoMailRequest): string {
  const ticketId = ticket === undefined ? null : fromId('tkt', ticket)
  if (ticketId === null) return `${reply.local}@${reply.domain}`
  return signReplyAddress(reply, { brandId, ticketId, side: 'customer', recipient: from })
}

/** What a mail program puts below an answer. */
function quoted(sender: string, date: Date): string {
  // `Tue, 01 Jan 2030 00:00:00 GMT`
  const [day, time] = [date.toUTCString().slice(0, 16), date.toUTCString().slice(17, 22)]
  return `On ${day} at ${time}, ${sender} wrote:\n> ${MARKER}\n>\n> Hello,\n`
}

function subjectOf(text: string): string {
  return text.split(/[\r\n]/, 1)[0]?.slice(0, 100) ?? ''
}

function mistakesOf({ brand, from, text, ticket }: DemoMailRequest): string[] {
  const mistakes: string[] = []
  if (!Object.hasOwn(DEMO_NAMES, brand)) {
    mistakes.push(`--brand: expected one of the demo brands ${Object.keys(DEMO_NAMES).join(', ')}`)
  }
  if (!isMailbox(from) || /["[]/.test(from)) mistakes.push('--from: expected a plain e-mail address')
  if (text.trim() === '') mistakes.push('--text: expected what the customer says')
  if (ticket !== undefined && fromId('tkt', ticket) === null)
    mistakes.push('--ticket: expected the id of a ticket')
  return mistakes
}
