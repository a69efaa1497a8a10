import fc from 'fast-check'
import { bytesOf, type Case } from './case.ts'
import { CANARY } from './values.ts'

/** Bytes of a request of which some were changed, and what is no HTTP at all. */
export function rawCases(requests: fc.Arbitrary<Case>): fc.Arbitrary<Case> {
  return fc.oneof(
    { weight: 6, arbitrary: fc.tuple(requests, fc.array(edit, { minLength: 1, maxLength: 6 })).map(changed) },
    { weight: 2, arbitrary: fc.tuple(requests, fc.nat()).map(brokenOff) },
    { weight: 1, arbitrary: fc.tuple(requests, requests).map(together) },
    {
      weight: 2,
      arbitrary: fc
        .constantFrom(...NO_HTTP)
        .map((text) => ({ ...raw('no HTTP', Buffer.from(text, 'latin1')), owed: true })),
    },
    {
      weight: 1,
      arbitrary: fc
        .uint8Array({ minLength: 1, maxLength: 300 })
        .map((bytes) => raw('noise', Buffer.from(bytes))),
    },
  )
}

type Edit = { at: number; drop: number; insert: Uint8Array; inHead: boolean }

const edit: fc.Arbitrary<Edit> = fc.record({
  at: fc.nat(),
  drop: fc.constantFrom(0, 1, 1, 4),
  insert: fc.oneof(
    fc.uint8Array({ maxLength: 4 }),
    fc
      .constantFrom('\r\n', '\n', '\r\n\r\n', '\0', ' ', ':', 'Content-Length: 5\r\n')
      .map((text) => Buffer.from(text)),
  ),
  inHead: fc.boolean(),
})

/** The head is changed in length too; the body is not, or the server would only wait for the rest. */
function changed([one, edits]: [Case, Edit[]]): Case {
  let bytes = bytesOf(one)
  for (const { at, drop, insert, inHead } of edits) {
    const headEnd = Math.max(1, bytes.indexOf('\r\n\r\n'))
    if (inHead) {
      const where = at % headEnd
      bytes = Buffer.concat([bytes.subarray(0, where), insert, bytes.subarray(where + drop)])
    } else {
      bytes.set(
        insert.subarray(0, bytes.length - headEnd),
        headEnd + (at % Math.max(1, bytes.length - headEnd - 20)),
      )
    }
  }
  return raw('changed bytes', bytes)
}

function brokenOff([one, at]: [Case, number]): Case {
  const bytes = bytesOf(one)
  return {
    ...raw('a request that breaks off', bytes.subarray(0, 1 + (at % (bytes.length - 1)))),
    wanted: 0,
  }
}

/** Behind each other, without waiting (RFC 9112, section 9.3.2). */
function together([one, two]: [Case, Case]): Case {
  return {
    ...raw('two requests at once', Buffer.concat([bytesOf(one), bytesOf(two)])),
    wanted: 2,
    owed: true,
  }
}

function raw(what: string, bytes: Buffer): Case {
  return { what, operation: null, method: '', target: '', headers: [], body: null, expect: null, raw: bytes }
}

/** To each of which a server must say what it thinks of it. */
const NO_HTTP = [
  `EHLO ${CANARY}\r\n\r\n`,
  '\x16\x03\x01\x05\x00\x01\x00\x00\x01\x00',
  'GET / HTTP/9.9\r\nHost: a\r\n\r\n',
  'GET /healthz HTTP/1.0\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\nx y: b\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n',
  `GET / HTTP/1.1\r\nHost: a\r\nX: \0${CANARY}\r\n\r\n`,
  'POST /v1/support/tickets HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
  'POST /v1/support/tickets HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'POST /v1/support/tickets HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
  'POST /v1/support/tickets HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n',
  `CONNECT ${CANARY}:443 HTTP/1.1\r\nHost: a\r\n\r\n`,
  'GET /healthz HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n',
  `GET http://${CANARY}.example/healthz HTTP/1.1\r\nHost: a\r\n\r\n`,
  '\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n',
  `FOO /${CANARY} HTTP/1.1\r\nHost: a\r\n\r\n`,
]
