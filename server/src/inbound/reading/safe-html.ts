import sanitizeHtml from 'sanitize-html'

/**
 * What a mail's HTML may keep: the marks of a text, lists, tables and links. Everything else goes, and with it all
 * that loads, runs, hides, covers or sends: scripts, forms, frames, SVG, styles, classes, ids, images, handlers. A
 * picture leaves its description; the picture itself is an attachment.
 */
const OPTIONS: sanitizeHtml.IOptions = {
  allowedTags: [
    ...[
      'a',
      'b',
      'blockquote',
      'br',
      'code',
      'dd',
      'del',
      'div',
      'dl',
      'dt',
      'em',
      'h1',
      'h2',
      'h3',
      'h4',
      'h5',
      'h6',
    ],
    ...[
      'hr',
      'i',
      'ins',
      'li',
      'ol',
      'p',
      'pre',
      's',
      'small',
      'span',
      'strike',
      'strong',
      'sub',
      'sup',
      'table',
    ],
    ...['tbody', 'td', 'tfoot', 'th', 'thead', 'tr', 'u', 'ul'],
  ],
  allowedAttributes: { a: ['href', 'rel'], td: ['colspan', 'rowspan'], th: ['colspan', 'rowspan'] },
  allowedSchemes: ['http', 'https', 'mailto'],
  allowedSchemesAppliedToAttributes: ['href'],
  allowProtocolRelative: false,
  allowedStyles: {},
  allowedClasses: {},
  parseStyleAttributes: false,
  // Their content is not text of the mail.
  nonTextTags: [
    ...[
      'script',
      'style',
      'textarea',
      'option',
      'noscript',
      'title',
      'svg',
      'math',
      'iframe',
      'object',
      'template',
    ],
    ...['noembed', 'noframes', 'xmp', 'plaintext', 'audio', 'video', 'canvas', 'applet'],
  ],
  nestingLimit: 100,
  transformTags: {
    a: (_tag, { href }) => ({
      tagName: 'a',
      attribs: href === undefined || isRelative(href) ? {} : { href, rel: 'noopener noreferrer nofollow' },
    }),
    img: (_tag, { alt }) => ({ tagName: 'span', attribs: {}, text: alt ? `[${alt.slice(0, 200)}]` : '' }),
  },
}

/** @returns null where nothing is left of it. @param html within html-bounds.ts */
export function safeHtml(html: string): string | null {
  const safe = sanitizeHtml(html, OPTIONS).trim()
  return safe === '' ? null : safe
}

/** It would lead into the program that shows the mail. */
function isRelative(href: string): boolean {
  return !/^\s*(?:https?:\/\/|mailto:)/i.test(href)
}
