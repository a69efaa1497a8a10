import { test } from 'vitest'
import { expectMistakes, type MistakeRow, variable } from './brands-folder.ts'

const WEBHOOK_SECRET = variable('GLOBEX_WEBHOOK_SECRET')
const SECRET_PLACE = '34: brands[1].desk.secret'

const rows: MistakeRow[] = [
  [
    'an unknown key',
    'name: Acme',
    'name: Acme\n    colour: red',
    '15: brands[0].colour: unknown key, expected one of id, name, issuers,',
  ],
  [
    '__proto__ as a key',
    'name: Acme',
    'name: Acme\n    __proto__: {}',
    '15: brands[0].__proto__: unknown key, expected',
  ],
  [
    'a merge key',
    'name: Acme',
    'name: Acme\n    <<: {wait: 2s}',
    '15: brands[0].<<: merge keys (<<) are not read, expected the settings written out',
  ],
  [
    'a key that stands twice',
    'name: Acme',
    'name: Acme\n    name: Acme',
    '15: brands[0].name: duplicate key, expected each key once in a map',
  ],
  ['a missing key', '    name: Globex\n', '', '28: brands[1].name: missing, expected a text of 1 to 200'],
  ['a key without its value', 'name: Acme', 'name:', '14: brands[0].name: expected a text of 1 to 200'],
  ['a number for a text', 'name: Acme', 'name: 7', '14: brands[0].name: expected a text'],
  ['an id with a slash', 'id: globex', 'id: globex/eu', '28: brands[1].id: expected 1 to 64 of'],
  [
    'two of one id',
    'id: globex',
    'id: acme',
    '28: brands[1].id: duplicate, expected another id than brands[0] has',
  ],
  [
    'an issuer that is not there',
    'issuers: [https://idp.globex.example]',
    'issuers: [https://idp.globex.example/]',
    '30: brands[1].issuers[0]: expected the issuer of an entry under issuers, written exactly as there',
  ],
  [
    'no issuer',
    'issuers: [https://idp.globex.example]',
    'issuers: []',
    '30: brands[1].issuers: expected a list of at least one issuer',
  ],
  [
    'a wait too long',
    'wait: 2s',
    'wait: 31s',
    '20: brands[0].wait: expected a duration such as 2s or 500ms, from 0s to 30s',
  ],
  ['a wait without a unit', 'wait: 2s', 'wait: 2', '20: brands[0].wait: expected a duration'],
  [
    'a limit below nothing',
    'per_minute: 30',
    'per_minute: -1',
    '21: brands[0].tickets_per_minute: expected a whole number',
  ],
  [
    'half a ticket',
    'per_minute: 30',
    'per_minute: 0.5',
    '21: brands[0].tickets_per_minute: expected a whole number',
  ],
  [
    'a limit as a text',
    'per_minute: 30',
    'per_minute: "30"',
    '21: brands[0].tickets_per_minute: expected a whole number',
  ],
  [
    'any origin',
    '[https://app.acme.example]',
    '["*"]',
    '22: brands[0].origins[0]: expected an origin as a browser sends it',
  ],
  [
    'an origin with a path',
    '[https://app.acme.example]',
    '[https://app.acme.example/]',
    '22: brands[0].origins[0]: expected an origin',
  ],
  [
    'two scopes in one',
    'required_scope: null',
    'required_scope: a b',
    '18: brands[0].required_scope: expected one scope',
  ],
  [
    'no scope as a text',
    'required_scope: null',
    'required_scope: ""',
    '18: brands[0].required_scope: expected one scope',
  ],
  [
    'clients that are no list',
    'trusted_clients: []',
    'trusted_clients: crm',
    '19: brands[0].trusted_clients: expected a list of client ids',
  ],
  [
    'a claim without a name',
    'person_claim: sub',
    'person_claim: ""',
    '16: brands[0].person_claim: expected a text',
  ],
  [
    'an unknown desk',
    'connector: smtp',
    'connector: fax',
    '24: brands[0].desk.connector: expected one of inbox, smtp, webhook',
  ],
  [
    'a desk without a kind',
    '      connector: webhook\n',
    '',
    '31: brands[1].desk.connector: expected one of',
  ],
  [
    'a desk that is no map',
    /desk:\n {6}connector: webhook[\s\S]*$/,
    'desk: inbox\n',
    '31: brands[1].desk: expected a map with the key connector',
  ],
  [
    'an inbox with settings',
    'connector: webhook',
    'connector: inbox',
    '33: brands[1].desk.url: unknown key, expected one of connector',
    '34: brands[1].desk.secret: unknown key',
  ],
  ['a mail server by http', 'url: smtp:', 'url: http:', '25: brands[0].desk.url: expected smtp://host:port'],
  [
    'a password in clear',
    'smtp://127.0.0.1:2525',
    'smtp://u:p@mail.example',
    '25: brands[0].desk.url: expected smtps:// or ?requireTLS=true',
  ],
  [
    'a sender without a domain',
    '<support@acme.example>',
    '<support>',
    '26: brands[0].desk.from: expected one mailbox',
  ],
  [
    'two recipients',
    'helpdesk@acme.example',
    'a@acme.example, b@acme.example',
    '27: brands[0].desk.to: expected one mailbox',
  ],
  [
    'a webhook by http',
    'url: https://desk',
    'url: http://desk',
    '33: brands[1].desk.url: expected an https:// URL',
  ],
  [
    'a secret without its prefix',
    WEBHOOK_SECRET,
    'BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=',
    `${SECRET_PLACE}: expected whsec_`,
  ],
  [
    'a secret too short',
    WEBHOOK_SECRET,
    'whsec_BwcHBwcHBwcHBwcHBwcHBwc=',
    `${SECRET_PLACE}: expected whsec_`,
  ],
  [
    'a secret that is no base64',
    WEBHOOK_SECRET,
    'whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc',
    `${SECRET_PLACE}: expected whsec_`,
  ],
  [
    'a variable that is not set',
    WEBHOOK_SECRET,
    variable('MISSING'),
    `${SECRET_PLACE}: expected the environment variable MISSING to be set and not empty`,
  ],
  [
    'a variable without a name',
    WEBHOOK_SECRET,
    variable(''),
    `${SECRET_PLACE}: expected ${variable('NAME')}`,
  ],
  [
    'a variable without an end',
    WEBHOOK_SECRET,
    variable('GLOBEX').slice(0, -1),
    `${SECRET_PLACE}: expected ${variable('NAME')}`,
  ],
]

test.each(rows)('a brand: %s', async (...row) => expectMistakes(row))
