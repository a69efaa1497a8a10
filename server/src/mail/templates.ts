import mustache from 'mustache'
import type { BrandTemplates, TemplateKind, TemplateValue } from '../config.ts'
import { DEFAULT_TEMPLATES, layout } from './default-templates.ts'
import { MARKER } from './marker.ts'

/** What a template's names stand for; an empty text or false is a condition that does not hold. */
export type TemplateValues = Record<TemplateValue, string | boolean>

/** A mail's own words. `text` and `html` say the same; null: the text is over {@link HTML_LENGTH}. */
export type Written = { subject: string; text: string; html: string | null }

/**
 * Characters of text up to which a mail has HTML, too. Gmail cuts HTML at 102 KB and shows text whole, and megabytes
 * of it would keep everybody else waiting while they are written.
 */
export const HTML_LENGTH = 64 * 1024

const MARKER_HTML = `<div class="muted" style="max-width:640px;margin:0 auto;padding:12px 20px 0;color:#6b7280;font-family:sans-serif;font-size:12px">${MARKER}</div>`
/** The brand's own text as HTML, where it has no HTML of its own: both must say the same. */
const TEXT_AS_HTML = layout('<div dir="auto">{{body}}</div>')

/**
 * Writes a mail by the brand's template, or by the default where the brand has none. No value can become HTML or a
 * part of the template, and where a reply reaches us the marker stands above everything.
 */
export function writeMail(kind: TemplateKind, templates: BrandTemplates, values: TemplateValues): Written {
  const own = templates[kind] ?? {}
  const standard = DEFAULT_TEMPLATES[kind]
  const text = `${render(own.text ?? standard.text, values, (value) => value).trimEnd()}\n`
  const subject = render(own.subject ?? standard.subject, values, (value) => value).trim()
  const marked = values.reply ? `${MARKER}\n\n${text}` : text
  if (text.length > HTML_LENGTH) return { subject, text: marked, html: null }
  const html =
    own.text !== undefined && own.html === undefined
      ? render(TEXT_AS_HTML, { ...values, body: text.trimEnd() }, escapeHtml)
      : render(own.html ?? standard.html, values, escapeHtml)
  return { subject, text: marked, html: values.reply ? withMarker(html) : html }
}

function render(template: string, values: TemplateValues, write: (value: string) => string): string {
  // Without a prototype, so that a name finds nothing but a value.
  const view: unknown = Object.assign(Object.create(null), values)
  return mustache.render(template, view, {}, { escape: (value: unknown) => write(String(value)) })
}

/**
 * Text as HTML shows it, with its line breaks and its indentation. Without `=` it gives no attribute a value either,
 * where a brand's own template has no quotes around it.
 */
export function escapeHtml(text: string): string {
  return text
    .replace(/&/g, '&#38;')
    .replace(/</g, '&#60;')
    .replace(/>/g, '&#62;')
    .replace(/"/g, '&#34;')
    .replace(/'/g, '&#39;')
    .replace(/`/g, '&#96;')
    .replace(/=/g, '&#61;')
    .replace(/\r\n?|\n/g, '<br>\n')
    .replace(/^ | {2}/gm, (spaces) => '&nbsp;'.repeat(spaces.length))
}

function withMarker(html: string): string {
  const body = /<body(?:\s[^>]*)?>/i.exec(html)
  if (body === null) return MARKER_HTML + html
  const end = body.index + body[0].length
  return `${html.slice(0, end)}\n${MARKER_HTML}${html.slice(end)}`
}
