import { MailParser, type MailParserOptions } from 'mailparser'
import { isNamedFile, isOtherForm } from './body-forms.ts'

/**
 * A mail's parts, by mailparser as a stream. A part of text that nobody named is what the mail says; everything else
 * is a file, and no part is dropped: not a calendar, not a mail in the mail, not a report, not what has no name.
 */
export type MailParts = {
  tree: TextNode | null
  files: MailFile[]
  /** Decoded; null where there is none. */
  subject: string | null
  /** The display name of the first From, decoded; null where there is none. */
  fromName: string | null
}

export type TextNode = { type: string; text: string | null; children: TextNode[] }

export type MailFile = {
  /** As the mail names it; null where it does not. */
  filename: string | null
  /** As the mail declares it, in lower case, without parameters. */
  declaredType: string | null
  bytes: Buffer
  /** It is what the mail says, in a form that is not shown: it holds the quoted history. */
  isBody: boolean
}

const MEDIA_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/

export const MOST_PARTS = 200
export const DEEPEST_PART = 20

/** A bound of the mail's structure was passed. */
export class BoundPassed extends Error {
  readonly reason: 'too_many_parts' | 'too_deep' | 'too_large'
  constructor(reason: 'too_many_parts' | 'too_deep' | 'too_large') {
    super(reason)
    this.reason = reason
  }
}

/** What mailparser keeps of a part. Its types leave that out, so this names what is used here of its 3.14. */
type ParserNode = {
  headers: object
  contentType?: string | false
  textContent?: string
  isAttachment?: boolean
  disposition?: string
  children: ParserNode[]
}
type SplitNode = {
  type?: string
  parentNode?: SplitNode | false
  filename?: string | false
  multipart?: string | false
  contentType?: string | false
  disposition?: string | false
}
type Inside = {
  tree: ParserNode | false
  createNode(node: SplitNode): ParserNode
  processChunk(data: SplitNode, done: (error?: Error) => void): void
  getTextContent(): { type: 'text' }
}
const OpenParser = MailParser as unknown as new (options: MailParserOptions) => MailParser & Inside

class PartsParser extends OpenParser {
  private parts = 0
  private readonly bodies = new WeakSet<object>()

  override processChunk(data: SplitNode, done: (error?: Error) => void): void {
    if (data.type === 'node') this.parts++
    const isNested = data.type === 'node' && depthOf(data) > DEEPEST_PART
    if (this.parts > MOST_PARTS) done(new BoundPassed('too_many_parts'))
    else if (isNested) done(new BoundPassed('too_deep'))
    else super.processChunk(data, done)
  }

  override createNode(node: SplitNode): ParserNode {
    const made = super.createNode(node)
    if (isNamedFile(node) && made.disposition === 'inline') made.isAttachment = true
    if (isOtherForm(node)) this.bodies.add(made.headers)
    return made
  }

  /** Whether a file with these headers is the mail's text once more. */
  isBody(headers: object): boolean {
    return this.bodies.has(headers)
  }

  /** The texts are put together by what they are alternatives of (mail-text.ts), so not here. */
  override getTextContent(): { type: 'text' } {
    return { type: 'text' }
  }
}

/**
 * @throws BoundPassed past MOST_PARTS, DEEPEST_PART or the header's size; whatever the parser throws of a mail that
 *   breaks it
 */
export async function parseParts(raw: Buffer): Promise<MailParts> {
  const parser = new PartsParser({
    ignoreEmbedded: true,
    keepDeliveryStatus: true,
    checksumAlgo: false,
    skipHtmlToText: true,
    skipTextToHtml: true,
    skipTextLinks: true,
    skipImageLinks: true,
    maxChildNodes: MOST_PARTS + 1,
  })
  const files: MailFile[] = []
  const reading: Promise<void>[] = []
  await new Promise<void>((resolve, reject) => {
    parser.on('data', (data) => {
      if (data.type !== 'attachment') return
      const chunks: Buffer[] = []
      const file: MailFile = {
        filename: data.filename ?? null,
        declaredType: typeOf(data.headers.get('content-type')),
        bytes: Buffer.alloc(0),
        isBody: parser.isBody(data.headers),
      }
      files.push(file)
      data.content.on('data', (chunk: Buffer) => chunks.push(chunk))
      reading.push(
        new Promise((read, failed) => {
          data.content.on('error', failed)
          data.content.on('end', () => {
            file.bytes = Buffer.concat(chunks)
            data.release?.()
            read()
          })
        }),
      )
    })
    parser.on('error', (error: Error) => reject(boundOf(error)))
    parser.on('end', () => resolve())
    parser.end(raw)
  })
  await Promise.all(reading)
  const from = parser.from?.value[0]
  return {
    tree: parser.tree === false ? null : textNode(parser.tree),
    files,
    subject: typeof parser.subject === 'string' ? parser.subject : null,
    fromName: from?.name ? from.name : null,
  }
}

/** The splitter below the parser has bounds of its own, with one code for both. */
function boundOf(error: Error): Error {
  if (!('code' in error) || error.code !== 'EMAXLEN') return error
  return new BoundPassed(error.message.includes('child nodes') ? 'too_many_parts' : 'too_large')
}

function depthOf(node: SplitNode): number {
  let depth = 0
  for (let above = node.parentNode; above; above = above.parentNode) depth++
  return depth
}

function textNode(node: ParserNode): TextNode {
  return {
    type: (node.contentType || 'text/plain').toLowerCase(),
    text: node.isAttachment === true ? null : (node.textContent ?? null),
    children: node.children.map(textNode),
  }
}

/** What is no type and subtype (RFC 6838, section 4.2) names none. */
function typeOf(header: unknown): string | null {
  if (typeof header !== 'object' || header === null || !('value' in header)) return null
  const type = typeof header.value === 'string' ? header.value.toLowerCase() : ''
  return MEDIA_TYPE.test(type) ? type : null
}
