/** Characters of one mail's HTML that are made into text and made safe. More is kept as a file beside the message. */
export const HTML_LENGTH = 384 * 1024
/** A browser flattens what is deeper than 512; parsers get slow by the square of it. */
export const HTML_DEPTH = 500

const TAG = /<(\/?)([A-Za-z][A-Za-z0-9:-]{0,30})/g
/** They hold nothing, or are closed by what follows them, so that a long run of them nests nothing. */
const FLAT = new Set(
  'area base br col embed hr img input link meta param source track wbr p li dt dd option'.split(' '),
)
/** Each of them writes anew what is in it, line by line. */
const REWRITING = new Set(['blockquote', 'ul', 'ol', 'dl'])
/** Characters times their depth. */
const REWRITING_WORK = 4_000_000
export const MOST_QUOTES = 500
export const MOST_TAGS = 40_000

/** Whether HTML may be given to a parser that builds a tree of it. */
export function isWithinHtmlBounds(html: string): boolean {
  if (html.length > HTML_LENGTH) return false
  const { tags, depth, quotes, rewriting } = measure(html)
  const isShallow = depth <= HTML_DEPTH && rewriting * html.length <= REWRITING_WORK
  return isShallow && quotes <= MOST_QUOTES && tags <= MOST_TAGS
}

/** One linear pass that opens and closes elements as a parser does; comments it takes for what is in them. */
function measure(html: string) {
  const stack: string[] = []
  const open = new Map<string, number>()
  const found = { tags: 0, quotes: 0, depth: 0, rewriting: 0 }
  let rewritten = 0
  const count = (name: string, by: 1 | -1) => {
    open.set(name, (open.get(name) ?? 0) + by)
    if (REWRITING.has(name)) rewritten += by
  }
  for (const [, slash, tag = ''] of html.matchAll(TAG)) {
    const name = tag.toLowerCase()
    found.tags++
    if (FLAT.has(name)) continue
    if (slash === '') {
      if (name === 'blockquote') found.quotes++
      stack.push(name)
      count(name, 1)
    } else if ((open.get(name) ?? 0) > 0) {
      let closed = stack.pop()
      while (closed !== undefined) {
        count(closed, -1)
        closed = closed === name ? undefined : stack.pop()
      }
    }
    found.depth = Math.max(found.depth, stack.length)
    found.rewriting = Math.max(found.rewriting, rewritten)
  }
  return found
}

/** The words of HTML that is too large to be read as a tree: without its tags, and that is all. */
export function withoutTags(html: string): string {
  const words: string[] = []
  let at = 0
  while (at < html.length) {
    const open = html.indexOf('<', at)
    words.push(html.slice(at, open === -1 ? html.length : open))
    const close = open === -1 ? -1 : html.indexOf('>', open)
    if (close === -1) break
    at = close + 1
  }
  return words.join(' ')
}
