import type { Brand } from '../../src/config.ts'
import { createConnector } from '../../src/connectors/registry.ts'
import type { ConversationDeps } from '../../src/conversation/conversation.ts'
import { say } from '../../src/conversation/say.ts'
import { setStatus } from '../../src/conversation/status.ts'
import type { Executor, Sql } from '../../src/database/pool.ts'
import { fromId } from '../../src/ids.ts'
import { brandOf, startBellhop, type TestBellhop, type TestBellhopOptions } from '../bellhop.ts'
import { answer, type Opened } from '../conversation/scene.ts'
import { type Listener, listen, until } from './listener.ts'

/** Milliseconds: everything is looked at often. */
export const OFTEN = { look: 20, turn: 10 }

export type OpenedTicket = Opened & { id: string; token: string }

export type EventScene = {
  bellhop: TestBellhop
  /** Files a ticket, each of another person. */
  open(overrides?: Record<string, unknown>, token?: string): Promise<OpenedTicket>
  /** Listens as the ticket's person, unless said otherwise. */
  listen(ticket: OpenedTicket, headers?: Record<string, string>, beside?: TestBellhop): Promise<Listener>
  /** An agent says something, unless said otherwise. */
  speak(opened: Opened, what?: Parameters<typeof answer>[1]): Promise<string>
  speakIn(tx: Executor, opened: Opened, what?: Parameters<typeof answer>[1]): Promise<string>
  set(opened: Opened, status: 'open' | 'pending' | 'solved'): Promise<void>
  deps: ConversationDeps
  /** Ends all listeners, and waits until the server has noticed. */
  hangUp(): Promise<void>
  /** Of this process, as its metrics say. */
  openStreams(): Promise<number>
  stop(): Promise<void>
}

/** Bellhop with two brands whose desk is the inbox; listeners are hung up at the end. */
export async function setEventScene(options: TestBellhopOptions = {}): Promise<EventScene> {
  let brands: Brand[] = []
  const bellhop = await startBellhop({
    streamTimes: OFTEN,
    ...options,
    brands: (issuer) => {
      brands = options.brands?.(issuer) ?? ['acme', 'globex'].map((id) => brandOf(id, issuer))
      return brands
    },
  })
  const listeners: Listener[] = []
  let persons = 0
  const deps: ConversationDeps = {
    brands: new Map(brands.map((brand) => [brand.id, brand])),
    connectorOf: () => createConnector(brandOf('acme', bellhop.issuer), { now: Date.now }),
  }

  async function speakIn(tx: Executor, opened: Opened, what: Parameters<typeof answer>[1] = {}) {
    const said = answer(opened, what)
    await say(tx, deps, said)
    return said.messageId
  }

  async function openStreams(): Promise<number> {
    const { text } = await bellhop.ask('/metrics')
    return Number(/^bellhop_event_streams (\d+)$/m.exec(text)?.[1])
  }

  return {
    bellhop,
    deps,
    async open(overrides = {}, given) {
      const person = `per_${++persons}`
      const token = given ?? (await bellhop.issuer.token({ sub: person }))
      const headers = { authorization: `Bearer ${token}` }
      const { status, body } = await bellhop.file({ person_id: person, ...overrides }, headers)
      if (status !== 201 || body.status !== 'sent') throw new Error('the ticket was not sent')
      const id = String(body.ticket_id)
      const [ticketId, messageId] = [fromId('tkt', id), fromId('msg', String(body.message_id))]
      if (ticketId === null || messageId === null) throw new Error('no ids')
      return { brandId: String(overrides.brand_id ?? 'acme'), ticketId, messageId, id, token }
    },
    async listen({ id, token }, headers = {}, at = bellhop) {
      const listener = await listen(at.url, id, { authorization: `Bearer ${token}`, ...headers })
      listeners.push(listener)
      return listener
    },
    speak: (opened, what) => bellhop.sql.begin((tx) => speakIn(tx, opened, what)),
    speakIn,
    async set(opened, status) {
      await bellhop.sql.begin((tx) =>
        setStatus(tx, deps, { ...opened, status, actor: 'desk', actorId: null }),
      )
    },
    async hangUp() {
      for (const listener of listeners.splice(0)) listener.hangUp()
      await until(async () => (await openStreams()) === 0)
    },
    openStreams,
    async stop() {
      for (const listener of listeners) listener.hangUp()
      await bellhop.stop()
    },
  }
}

/** A transaction that stays open until it is told. */
export async function holdOpen(sql: Sql, work: (tx: Executor) => Promise<unknown>) {
  const done = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  const ended = sql.begin(async (tx) => {
    await work(tx)
    begun.resolve()
    await done.promise
  })
  ended.catch(begun.reject)
  await begun.promise
  return {
    async commit() {
      done.resolve()
      await ended
    },
  }
}
