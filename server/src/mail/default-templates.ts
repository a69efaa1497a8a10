import type { TemplateKind } from '../config.ts'

/** What a brand sends where it has no templates of its own. */
export type Template = { subject: string; text: string; html: string }

const MUTED = 'color:#6b7280;font-size:13px'

/**
 * The frame of every HTML mail: no remote content, one column, the reader's own font, and colours that can be read
 * on light and on dark, since mail programs turn one into the other.
 */
export function layout(content: string): string {
  return `<!doctype html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>{{brand}}</title>
<style>
:root { color-scheme: light dark; supported-color-schemes: light dark; }
@media (prefers-color-scheme: dark) { .muted { color: #9ca3af !important; } }
</style>
</head>
<body style="margin:0;padding:0">
<div style="max-width:640px;margin:0 auto;padding:16px 20px 24px;font-family:-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;font-size:16px;line-height:1.5;overflow-wrap:break-word;word-wrap:break-word">
${content}
</div>
</body>
</html>
`
}

function button(label: string): string {
  return `{{#link}}
<p style="margin:24px 0"><a href="{{link}}" style="display:inline-block;padding:10px 18px;border-radius:6px;background-color:#1d4ed8;color:#ffffff;text-decoration:none;font-weight:600">${label}</a></p>
{{/link}}`
}

const SIGNED = `<p class="muted" dir="auto" style="margin:24px 0 0;${MUTED}">{{#author}}<bdi>{{author}}</bdi> &middot; {{/author}}{{brand}}</p>`

export const DEFAULT_TEMPLATES: Record<TemplateKind, Template> = {
  acknowledgement: {
    subject: '{{#private}}We received your request{{/private}}{{^private}}Re: {{subject}}{{/private}}',
    text: `Hello{{#name}} {{name}}{{/name}},

Thank you for your message. We have received it and will answer as soon as we can.
{{#reply}}

If there is more to say, reply to this mail.
{{/reply}}
{{#link}}

Follow your request: {{link}}
{{/link}}

{{brand}}
`,
    html: layout(`<p dir="auto" style="margin:0 0 16px">Hello{{#name}} {{name}}{{/name}},</p>
<p style="margin:0 0 16px">Thank you for your message. We have received it and will answer as soon as we can.</p>
{{#reply}}
<p style="margin:0 0 16px">If there is more to say, reply to this mail.</p>
{{/reply}}
${button('Follow your request')}
${SIGNED}`),
  },
  message: {
    subject: 'Re: {{subject}}',
    text: `{{body}}

{{#author}}{{author}}, {{/author}}{{brand}}
{{#link}}

The whole conversation: {{link}}
{{/link}}
`,
    html: layout(`<div dir="auto">{{body}}</div>
${SIGNED}
{{#link}}
<p class="muted" style="margin:4px 0 0;${MUTED}"><a href="{{link}}" class="muted" style="${MUTED}">The whole conversation</a></p>
{{/link}}`),
  },
  notice: {
    subject: 'There is an answer to your request',
    text: `Hello,

There is an answer to your request.
{{#link}}

Read it here: {{link}}
{{/link}}

{{brand}}
`,
    html: layout(`<p style="margin:0 0 16px">Hello,</p>
<p style="margin:0 0 16px">There is an answer to your request.</p>
${button('Read the answer')}
${SIGNED}`),
  },
}
