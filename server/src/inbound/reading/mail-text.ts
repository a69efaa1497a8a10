import { HTML_LENGTH, isWithinHtmlBounds, withoutTags } from './html-bounds.ts'
import { htmlToText } from './html-to-text.ts'
import type { MailFile, TextNode } from './mail-parts.ts'
import { safeHtml } from './safe-html.ts'

/** What a mail says, whole. */
export type MailText = {
  text: string
  /** The lines of its HTML are lost in it, and with them what is quoted. */
  isRough: boolean
  /** Made safe; null where the mail has none, or too much of it. */
  html: string | null
  /** HTML that is too large or too deep to be shown, kept as files. */
  files: MailFile[]
}

/**
 * Puts the parts of text together as a mail program shows them: of alternatives one, of all others each.
 * @param body what the mail has as its body, for one whose structure shows nothing at all
 */
export function mailText(tree: TextNode | null, files: readonly MailFile[], body: Buffer): MailText {
  const bounds: Bounds = { kept: [], left: HTML_LENGTH, isRough: false }
  const { kept } = bounds
  const shown = tree === null ? nothing() : show(tree, bounds)
  const text = clean(shown.text())
  const html = shown.html === null ? null : safeHtml(clean(shown.html))
  // A multipart whose parts never begin would look empty.
  const isLost = text.trim() === '' && html === null && files.length === 0 && kept.length === 0
  const { isRough } = bounds
  return { text: isLost ? clean(body.toString('utf8')).trim() : text, isRough, html, files: kept }
}

/** The text is made only where it is wanted, since most HTML has a text beside it. */
type Shown = { text: () => string; html: string | null }

/** `left`: characters of HTML that may still be shown of this mail. `isRough`: text was made of some that may not. */
type Bounds = { kept: MailFile[]; left: number; isRough: boolean }

function show(node: TextNode, bounds: Bounds): Shown {
  if (node.children.length === 0)
    return node.text === null ? nothing() : showLeaf(node.type, node.text, bounds)
  const children = node.children.map((child) => show(child, bounds))
  return node.type === 'multipart/alternative' ? showBest(node.children, children) : showAll(children)
}

function showLeaf(type: string, text: string, bounds: Bounds): Shown {
  if (type !== 'text/html') return { text: () => text, html: null }
  if (text.length <= bounds.left && isWithinHtmlBounds(text)) {
    bounds.left -= text.length
    return { text: () => htmlToText(text), html: text }
  }
  const file = { filename: 'message.html', declaredType: 'text/html', bytes: Buffer.from(text), isBody: true }
  bounds.kept.push(file)
  const rough = () => {
    bounds.isRough = true
    return withoutTags(text)
  }
  return { text: rough, html: null }
}

function showBest(nodes: TextNode[], children: Shown[]): Shown {
  const plain = nodes.findIndex((node) => node.type === 'text/plain' && (node.text ?? '').trim() !== '')
  const rich = children.find(({ html }) => html !== null)
  const text = children[plain] ?? rich ?? children.find((child) => child.text().trim() !== '')
  return { text: () => text?.text() ?? '', html: rich?.html ?? null }
}

function showAll(children: Shown[]): Shown {
  const text = () =>
    children
      .map((child) => child.text())
      .filter((part) => part.trim() !== '')
      .join('\n\n')
  if (children.every(({ html }) => html === null)) return { text, html: null }
  const html = children.map(({ text, html }) => html ?? asHtml(text())).filter((part) => part !== '')
  return { text, html: html.join('\n') }
}

function nothing(): Shown {
  return { text: () => '', html: null }
}

function asHtml(text: string): string {
  if (text.trim() === '') return ''
  const escaped = text.replace(/[&<>]/g, (char) => `&#${char.charCodeAt(0)};`)
  return `<p>${escaped.replaceAll('\n', '<br>\n')}</p>`
}

/** Text without the control characters that no reader shows, NUL among them, and with `\n` for every line's end. */
export function clean(text: string): string {
  return (
    text
      .replace(/\r\n?/g, '\n')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
      .replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '')
  )
}
