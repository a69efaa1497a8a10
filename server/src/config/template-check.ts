import mustache from 'mustache'

/** The mails that have a template. */
export const TEMPLATE_KINDS = ['acknowledgement', 'message', 'notice'] as const
export type TemplateKind = (typeof TEMPLATE_KINDS)[number]

/**
 * What a template may name, each as a value (`{{subject}}`) or a condition (`{{#link}}…{{/link}}`,
 * `{{^link}}…{{/link}}`). A value that there is none of is empty, which a condition takes for no.
 */
export const TEMPLATE_VALUES = [
  /** The brand's name. */
  'brand',
  /** The requester's name. */
  'name',
  'subject',
  /** What was said. */
  'body',
  /** Who said it: an agent's or a participant's name. */
  'author',
  /** `tkt_…` */
  'ticket',
  /** Where the customer reads the ticket. */
  'link',
  /** Whether a reply to the mail reaches the desk. */
  'reply',
  /** Whether the mail may say nothing of what was said. Then subject, body, author, name and ticket are empty. */
  'private',
] as const
export type TemplateValue = (typeof TEMPLATE_VALUES)[number]

/**
 * What is wrong with a template, as sentences that repeat nothing of it: it has values and conditions and nothing
 * else, so that no value can become HTML and no file is read.
 */
export function templateFaults(template: string): string[] {
  let tokens: unknown
  try {
    tokens = mustache.parse(template)
  } catch {
    return ['expected each {{ with its }}, and each {{#value}} and {{^value}} with its {{/value}}']
  }
  const faults = new Set<string>()
  collectFaults(tokens, faults)
  return [...faults]
}

/** A token is `[kind, name or text, start, end, tokens inside]`. */
function collectFaults(tokens: unknown, faults: Set<string>): void {
  if (!Array.isArray(tokens)) return
  for (const token of tokens) {
    if (!Array.isArray(token)) continue
    const [kind, name] = token as unknown[]
    if (kind === 'text' || kind === '!') continue
    if (kind !== 'name' && kind !== '#' && kind !== '^') {
      faults.add('expected only {{value}}, {{#value}}, {{^value}}, {{/value}} and {{! remarks }}')
    } else if (!TEMPLATE_VALUES.some((value) => value === name)) {
      faults.add(`expected only the values ${TEMPLATE_VALUES.join(', ')}`)
    }
    collectFaults(token[4], faults)
  }
}
