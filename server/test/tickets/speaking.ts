import { createInboxConnector } from '../../src/connectors/inbox.connector.ts'
import type { ConversationDeps } from '../../src/conversation/conversation.ts'
import { openTicket } from '../../src/conversation/open-ticket.ts'
import { releaseHeld } from '../../src/conversation/release-held.ts'
import { type Said, say } from '../../src/conversation/say.ts'
import { setStatus } from '../../src/conversation/status.ts'
import { fromId, newUuid, toId } from '../../src/ids.ts'
import { brandOf, type TestBellhop } from '../bellhop.ts'
import { answer } from '../conversation/scene.ts'

export type Speaking = {
  /** An agent's answer, unless said otherwise. @returns the message's id, `msg_…` */
  say(ticketId: unknown, what?: Partial<Said>): Promise<string>
  release(messageId: string): Promise<void>
  setStatus(ticketId: unknown, status: 'open' | 'pending' | 'solved' | 'closed'): Promise<void>
  /** A ticket that came by mail, unclaimed. @returns its id, `tkt_…` */
  openByMail(brandId: string, requesterEmail: string, addressProven?: boolean): Promise<string>
}

/** The other side of the desk, and the mailbox: what reaches a ticket by other ways than this API. */
export function speakingAt(bellhop: TestBellhop, brandIds = ['acme', 'globex']): Speaking {
  const { sql, issuer } = bellhop
  const desk = createInboxConnector()
  const deps: ConversationDeps = {
    brands: new Map(brandIds.map((id) => [id, brandOf(id, issuer)])),
    connectorOf: () => desk,
  }
  const of = async (ticketId: unknown) => {
    const uuid = uuidOf('tkt', ticketId)
    const [row] = await sql<
      { brandId: string }[]
    >`SELECT brand_id AS "brandId" FROM tickets WHERE id = ${uuid}`
    if (row === undefined) throw new Error('there is no such ticket')
    return { brandId: row.brandId, ticketId: uuid, messageId: newUuid() }
  }
  return {
    async say(ticketId, what) {
      const said = answer(await of(ticketId), what)
      await sql.begin((tx) => say(tx, deps, said))
      return toId('msg', said.messageId)
    },
    async release(id) {
      const messageId = uuidOf('msg', id)
      const [row] = await sql<{ brandId: string }[]>`
        SELECT brand_id AS "brandId" FROM messages WHERE id = ${messageId}`
      const by = { actor: 'operator', actorId: 'grace' } as const
      await sql.begin((tx) => releaseHeld(tx, deps, { brandId: row?.brandId ?? '', messageId, ...by }))
    },
    async setStatus(ticketId, status) {
      const opened = await of(ticketId)
      await sql.begin((tx) => setStatus(tx, deps, { ...opened, status, actor: 'desk', actorId: null }))
    },
    async openByMail(brandId, requesterEmail, addressProven = true) {
      const ticketId = newUuid()
      await sql.begin((tx) =>
        openTicket(tx, deps, {
          brandId,
          ticketId,
          messageId: newUuid(),
          subject: 'By mail',
          requesterEmail,
          requesterName: 'Ada',
          addressProven,
          acknowledge: false,
          via: 'mail',
          body: 'It does not work.',
          wholeText: 'It does not work.',
          html: null,
          inboundMailId: null,
          attachments: [],
          actor: 'sender',
          actorId: null,
        }),
      )
      return toId('tkt', ticketId)
    },
  }
}

export function uuidOf(prefix: 'tkt' | 'msg' | 'att', id: unknown): string {
  const uuid = fromId(prefix, String(id))
  if (uuid === null) throw new Error('expected an id')
  return uuid
}
