import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type BenchContext, onStage } from './group.ts'
import { type Peer, startPeer } from './peer.ts'
import type { SinkQuestion } from './smtp-sink.ts'

/** Milliseconds without a mail after which nobody waits for more. */
const PATIENCE = 20_000

export type Sink = {
  port: number
  /**
   * Has mails sent and waits until all have come.
   * @returns mails a second over the middle of them, since senders do not begin and end at the same moment
   */
  rate(mails: number, send: () => Promise<unknown>): Promise<number>
}

export async function startSink({ scene }: BenchContext): Promise<Sink> {
  const starting: Promise<Peer<{ port: number }, SinkQuestion, number[]>> = startPeer('smtp-sink.ts', {})
  const peer = await onStage(scene, starting)
  return {
    port: peer.ready.port,
    async rate(mails, send) {
      await peer.ask('forget')
      await send()
      let before = 0
      for (let last = performance.now(); before < mails; ) {
        await pause(50)
        const [count = 0] = await peer.ask('count')
        if (count > before) last = performance.now()
        if (performance.now() - last > PATIENCE) throw new Error(`only ${count} of ${mails} mails have come`)
        before = count
      }
      const times = await peer.ask('times')
      if (times.length !== mails) throw new Error(`${times.length} mails have come, and ${mails} were sent`)
      return middleRate(times)
    },
  }
}

/** How many a second, without the first and the last eighth. @param times milliseconds, ascending */
export function middleRate(times: number[]): number {
  const eighth = Math.floor(times.length / 8)
  const [from, to] = [times[eighth], times[times.length - 1 - eighth]]
  if (from === undefined || to === undefined || to <= from) return Number.NaN
  return ((times.length - 1 - 2 * eighth) / (to - from)) * 1000
}

/** The brands of {@link writeMailBrands}. */
export function mailBrands(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `brand-${index + 1}`)
}

/** A brands file whose brands' desks are mailboxes behind the sink. */
export async function writeMailBrands(folder: string, brands: string[], port: number): Promise<string> {
  const file = join(folder, `mail-${brands.length}-brands.yaml`)
  const brand = (id: string) => `
  - id: ${id}
    name: ${id}
    issuers: [https://login.acme.example]
    desk:
      connector: smtp
      url: smtp://127.0.0.1:${port}
      from: Acme Support <support@acme.example>
      to: helpdesk@acme.example`
  await writeFile(
    file,
    `issuers:
  - issuer: https://login.acme.example
    introspection:
      endpoint: https://login.acme.example/introspect
      client_id: bellhop
      client_secret: not a secret
brands:${brands.map(brand).join('')}
`,
  )
  return file
}
