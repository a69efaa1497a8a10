import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { createSecureContext } from 'node:tls'
import { SELF_SIGNED } from '../../../server/test/connectors/self-signed.ts'
import type { Answers, Question, Settings } from './faulty-desks.ts'
import { serveSession } from './faulty-session.ts'
import type { Mail } from './mail-inflow.ts'
import { endOf, isUnseen, OPENING } from './ways.ts'
import { WRONG_CERTIFICATE } from './wrong-certificate.ts'

/**
 * The desks of a row as a process of their own: mail servers, each on a port of its own, that fail as the
 * plan says and keep of what they took a digest each. What they are told and asked comes from their parent.
 */
const settings: Settings = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'))
const tls = settings.tls
  ? { right: createSecureContext(SELF_SIGNED), wrong: createSecureContext(WRONG_CERTIFICATE) }
  : null

/** Of each message: whose ticket, the digest of what came first, how often it came, and whether all were alike. */
const kept = new Map<string, { ticket: string; digest: string; times: number; alike: boolean }>()
/** How often was struck: by the outcome and code that it must have. */
const strikes = new Map<string, number>()
let struck = 0
let replaced = 0
let unseen = 0

function take({ ticketId, messageId, digest }: Mail): void {
  const known = kept.get(messageId)
  if (known === undefined) kept.set(messageId, { ticket: ticketId, digest, times: 1, alike: true })
  else {
    known.times++
    known.alike &&= known.digest === digest && known.ticket === ticketId
  }
}

const servers = settings.plan.map((turns): Server => {
  const oneMessage = turns.every((turn) => turn === null || OPENING.has(turn.reused.stage))
  return createServer((socket) =>
    serveSession(socket, {
      tls,
      oneMessage: oneMessage && turns.length > 0,
      next: () => turns.shift(),
      giveBack: (turn) => turns.unshift(turn),
      struck(way, reused) {
        const end = endOf(way, reused)
        struck++
        if (isUnseen(way)) unseen++
        if (end === null) replaced++
        else strikes.set(end, (strikes.get(end) ?? 0) + 1)
      },
      took: take,
    }),
  )
})

async function listen(): Promise<null> {
  await Promise.all(
    servers.map(async (server, at) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      server.once('error', reject)
      server.listen({ port: settings.ports[at], host: '127.0.0.1' }, resolve)
      await promise
    }),
  )
  return null
}

const answers: { [Q in Question]: () => Answers[Q] | Promise<Answers[Q]> } = {
  listen,
  report: () => ({
    received: [...kept].map(([id, { ticket }]) => [ticket, id]),
    doubles: [...kept.values()].reduce((sum, { times }) => sum + times - 1, 0),
    differing: [...kept].filter(([, { alike }]) => !alike).map(([id]) => id),
  }),
  doubles: () => [...kept].flatMap(([id, { times }]) => (times > 1 ? [[id, times - 1]] : [])),
  strikes: () => ({ struck, replaced, unseen, ends: [...strikes] }),
}

process.on('message', async (question: Question) => process.send?.({ answer: await answers[question]() }))
// Whoever asks has gone.
process.on('disconnect', () => process.exit())
// Ctrl-C reaches every process of the terminal; this one ends when it is told, last of all.
process.on('SIGINT', () => {})
process.send?.('ready')
