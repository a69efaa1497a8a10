import { compile } from 'html-to-text'
import { HTML_DEPTH, HTML_LENGTH } from './html-bounds.ts'

/** As safe-html.ts leaves them out. */
const UNSEEN = [
  'img',
  'script',
  'style',
  'title',
  'noscript',
  'template',
  'svg',
  'math',
  'iframe',
  'object',
  'textarea',
]
const HEADINGS = ['h1', 'h2', 'h3', 'h4', 'h5', 'h6']

const convert = compile({
  wordwrap: false,
  // All of it: what stands beside a misplaced <body> is shown by a reader, too.
  baseElements: { selectors: [], returnDomByDefault: true },
  limits: { maxInputLength: HTML_LENGTH, maxDepth: HTML_DEPTH, ellipsis: '' },
  selectors: [
    {
      selector: 'a',
      options: { hideLinkHrefIfSameAsText: true, noAnchorUrl: true, linkBrackets: ['<', '>'] },
    },
    ...UNSEEN.map((selector) => ({ selector, format: 'skip' })),
    { selector: 'hr', format: 'block' },
    ...HEADINGS.map((selector) => ({ selector, options: { uppercase: false } })),
    // A quoted mail begins with its marker and ends with its last word; each of its lines gets `> `.
    { selector: 'blockquote', options: { trimEmptyLines: true } },
    { selector: 'ul', options: { itemPrefix: '- ' } },
    // What mail programs draw with tables is layout, not data.
    { selector: 'table', format: 'block' },
    { selector: 'tr', format: 'block' },
  ],
})

/** A block that holds a line break and nothing else is one blank line, and a break at a block's end is none. */
const EMPTY_BLOCK = /(<(?:div|p)(?:\s[^<>]{0,500})?>\s{0,20})<br[^<>]{0,100}>(?=\s{0,20}<\/(?:div|p)>)/gi

/** HTML as its reader would see it, with `> ` before what it quotes. @param html within html-bounds.ts */
export function htmlToText(html: string): string {
  return convert(html.replace(EMPTY_BLOCK, '$1&nbsp;'))
    .replaceAll('\u00a0', ' ')
    .split('\n')
    .map((line) => (line.trim() === '' ? '' : line))
    .join('\n')
}
