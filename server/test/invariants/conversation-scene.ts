import { hash } from 'node:crypto'
import { createConnector } from '../../src/connectors/registry.ts'
import type { ConversationDeps } from '../../src/conversation/conversation.ts'
import { releaseHeld } from '../../src/conversation/release-held.ts'
import { type Said, say } from '../../src/conversation/say.ts'
import { setStatus } from '../../src/conversation/status.ts'
import type { Executor, Sql } from '../../src/database/pool.ts'
import { newUuid } from '../../src/ids.ts'
import { brandOf } from '../bellhop.ts'
import { smtpDesk } from '../deliveries/mail-desk.ts'

const SETTLED = ['reply', 'automatic', 'new_ticket', 'bounce', 'duplicate'] as const
const QUARANTINED = ['lying', 'released', 'discarded'] as const

export type Conversation = {
  ticket: string
  /** Opened by a mail, and claimed by its person. */
  mailTicket: string
  /** Messages, each a UUID. */
  said: Record<'followUp' | 'answer' | 'note' | 'held' | 'released' | 'reply' | 'automatic' | 'first', string>
  /** Mails, each a UUID, by what became of them. */
  mail: Record<(typeof SETTLED)[number] | (typeof QUARANTINED)[number] | 'waiting', string>
  /** The delivery of the answer to the customer. */
  toCustomer: string
}

/**
 * A conversation on a ticket of `globex`: whatever may be said there by whom, whatever a mail may become, and each
 * kind of delivery that comes of it. Nothing of it is carried.
 * @param first the ticket's first message, a UUID
 */
export async function holdConversation(sql: Sql, first: string): Promise<Conversation> {
  const brand = brandOf(
    'globex',
    { url: 'https://login.example' },
    {
      desk: { ...smtpDesk(1), conversation: 'through', agents: ['@acme.example'] },
      mail: { url: 'smtp://127.0.0.1:1', from: { name: 'Globex', address: 'us@globex.example' }, dkim: null },
    },
  )
  const desk = createConnector(brand, { now: Date.now })
  const deps: ConversationDeps = { brands: new Map([['globex', brand]]), connectorOf: () => desk }
  const [row] = await sql<{ id: string }[]>`SELECT ticket_id AS id FROM messages WHERE id = ${first}`
  if (row === undefined) throw new Error('the ticket is not there')
  const ticket = row.id
  const speak = (said: Partial<Said>) => speakOn(sql, deps, { ticketId: ticket, ...said })

  const waiting = await keepMail(sql, 'waiting')
  const followUp = await speak({})
  const answer = await speak({ author: 'agent', actor: 'desk', via: 'desk' })
  const note = await speak({ author: 'note', actor: 'operator', via: 'command' })
  const held = await speak({ ...AGENT_MAIL, heldFor: 'empty' })
  const released = await speak({ ...AGENT_MAIL, heldFor: 'empty' })
  const operator = { brandId: 'globex', actor: 'operator', actorId: 'ada' } as const
  await sql.begin((tx) => releaseHeld(tx, deps, { ...operator, messageId: released }))
  const reply = await settle(sql, 'reply', ticket, (mail) => speak({ via: 'mail', inboundMailId: mail }))
  const automatic = await settle(sql, 'automatic', ticket, (mail) =>
    speak({ via: 'mail', automatic: true, inboundMailId: mail }),
  )
  const opened = await openByMail(sql)
  const mail = {
    ...{ waiting, reply: reply.mail, automatic: automatic.mail, new_ticket: opened.mail },
    duplicate: await keepMail(sql, 'duplicate', 'reply'),
    ...{ bounce: await keepMail(sql, 'bounce'), lying: await keepMail(sql, 'lying') },
    ...{ discarded: await keepMail(sql, 'discarded'), released: await keepMail(sql, 'released') },
  }
  await speak({ via: 'mail', inboundMailId: mail.released, author: 'participant', messageId: mail.released })
  await sql.begin((tx) => setStatus(tx, deps, { ...operator, ticketId: ticket, status: 'solved' }))
  const toCustomer = await bounce(sql, answer, mail.bounce)
  await acknowledge(sql, opened.message)
  await resolve(sql, mail, ticket)
  await desk.close()
  return {
    ...{ ticket, mailTicket: opened.ticket, mail, toCustomer },
    said: {
      ...{ followUp, answer, note, held, released, first: opened.message },
      ...{ reply: reply.message, automatic: automatic.message },
    },
  }
}

const AGENT_MAIL: Partial<Said> = {
  ...{ author: 'agent', actor: 'desk', via: 'mail' },
  ...{ authorAddress: 'grace@acme.example', authorName: 'Grace' },
}

/** @returns the message */
async function speakOn(
  sql: Sql,
  deps: ConversationDeps,
  said: Partial<Said> & Pick<Said, 'ticketId'>,
): Promise<string> {
  const messageId = newUuid()
  const whole: Said = {
    ...{ brandId: 'globex', messageId, author: 'customer', authorName: null, authorAddress: null },
    ...{ via: 'api', body: 'Is it there yet?', wholeText: null, html: null, automatic: false, heldFor: null },
    ...{ inboundMailId: null, attachments: [], actor: 'person', actorId: null },
    ...said,
  }
  await sql.begin((tx) => say(tx, deps, whole))
  return whole.messageId
}

/** A mail that has come. @param like another one with whose fingerprint it comes */
async function keepMail(sql: Executor, name: string, like = name): Promise<string> {
  const id = newUuid()
  const [sha256, fingerprint] = [name, like].map((text) => Buffer.from(hash('sha256', text), 'hex'))
  if (sha256 === undefined || fingerprint === undefined) throw new Error('a digest')
  await sql`INSERT INTO blobs (sha256, size) VALUES (${sha256}, 4)`
  await sql`INSERT INTO inbound_mails (brand_id, id, way, sha256, size, request_digest, fingerprint)
    VALUES ('globex', ${id}, 'http', ${sha256}, 4, ${sha256}, ${fingerprint})`
  return id
}

async function settle(
  sql: Executor,
  as: 'reply' | 'automatic',
  ticket: string,
  make: (mail: string) => Promise<string>,
): Promise<{ mail: string; message: string }> {
  const mail = await keepMail(sql, as)
  const message = await make(mail)
  await sql`UPDATE inbound_mails SET ticket_id = ${ticket}, message_id = ${message} WHERE id = ${mail}`
  return { mail, message }
}

async function openByMail(sql: Executor): Promise<{ mail: string; ticket: string; message: string }> {
  const [mail, ticket, message] = [await keepMail(sql, 'new_ticket'), newUuid(), newUuid()]
  await sql`INSERT INTO tickets (brand_id, id, issuer, person_id, requester_email, subject, via, address_proven)
    VALUES ('globex', ${ticket}, 'https://login.example', 'per_ada', 'ada@example.com', 'Hello', 'mail', true)`
  await sql`INSERT INTO messages (brand_id, id, ticket_id, author, via, body, inbound_mail_id)
    VALUES ('globex', ${message}, ${ticket}, 'customer', 'mail', 'Where is it?', ${mail})`
  await sql`INSERT INTO deliveries (brand_id, id, message_id, connector, state)
    VALUES ('globex', ${newUuid()}, ${message}, 'smtp', 'pending')`
  await sql`INSERT INTO audit_entries (brand_id, id, actor, action, ticket_id, message_id, inbound_mail_id) VALUES
    ('globex', ${newUuid()}, 'sender', 'ticket.created', ${ticket}, ${message}, ${mail}),
    ('globex', ${newUuid()}, 'person', 'ticket.claimed', ${ticket}, NULL, NULL)`
  await sql`UPDATE inbound_mails SET ticket_id = ${ticket}, message_id = ${message} WHERE id = ${mail}`
  return { mail, ticket, message }
}

/** The mail to the customer came back. @returns its delivery */
async function bounce(sql: Executor, answer: string, mail: string): Promise<string> {
  const [row] = await sql<{ id: string; ticket: string }[]>`
    UPDATE deliveries d SET bounced_at = now(), bounce_code = '5.1.1' FROM messages m
    WHERE d.message_id = ${answer} AND d.kind = 'message' AND m.id = d.message_id
    RETURNING d.id, m.ticket_id AS ticket`
  if (row === undefined) throw new Error('the answer went to nobody')
  await sql`UPDATE inbound_mails SET delivery_id = ${row.id}, ticket_id = ${row.ticket} WHERE id = ${mail}`
  await sql`INSERT INTO audit_entries
      (brand_id, id, actor, action, ticket_id, message_id, delivery_id, inbound_mail_id)
    VALUES ('globex', ${newUuid()}, 'system', 'delivery.bounced', ${row.ticket}, ${answer}, ${row.id}, ${mail})`
  return row.id
}

async function acknowledge(sql: Executor, first: string): Promise<void> {
  const id = newUuid()
  const mailMessageId = `<dlv_${id.replaceAll('-', '')}@globex.example>`
  await sql`INSERT INTO deliveries (brand_id, id, message_id, side, kind, recipient, connector, mail_message_id, state)
    VALUES ('globex', ${id}, ${first}, 'customer', 'acknowledgement', 'ada@example.com', 'mail', ${mailMessageId},
      'pending')`
}

/** Every mail but one is settled, and an operator has looked at two of those in quarantine. */
async function resolve(sql: Executor, mail: Conversation['mail'], ticket: string): Promise<void> {
  for (const as of SETTLED) {
    await sql`UPDATE inbound_mails SET state = 'settled', settled_as = ${as}, settled_at = now() WHERE id = ${mail[as]}`
  }
  for (const name of QUARANTINED) {
    const resolution = name === 'lying' ? null : name
    await sql`
      UPDATE inbound_mails SET state = 'settled', settled_as = 'quarantined', settled_at = now(), reason = 'unknown_sender',
        resolution = ${resolution}, resolved_at = CASE WHEN ${resolution !== null} THEN now() END
      WHERE id = ${mail[name]}`
    if (resolution === null) continue
    await sql`INSERT INTO audit_entries (brand_id, id, actor, action, ticket_id, inbound_mail_id)
      VALUES ('globex', ${newUuid()}, 'operator', ${`inbound.${resolution}`},
        ${name === 'released' ? ticket : null}, ${mail[name]})`
  }
  await sql`UPDATE inbound_mails SET ticket_id = ${ticket}, message_id = id WHERE id = ${mail.released}`
}
