import { opaqueHolders, ticketsOf } from '../requests.ts'
import { startBellhop } from '../servers.ts'
import { COMPARISON, comparison } from './comparison.ts'
import { compete } from './contest.ts'
import { embeddedEndpoint, loadOf, startFloor, warmUp, writeOpaqueBrands } from './front-door.ts'
import { type Group, onStage } from './group.ts'
import { startPeer } from './peer.ts'

/** Bellhop asks an issuer about 20 tokens at once and refuses the next request, so no more come at once. */
const CONNECTIONS = 16

export const opaque: Group = {
  id: 'opaque',
  inShort: false,
  async run({ folder, scene, rounds, seconds, refusals }) {
    const issuer = await onStage(scene, startPeer<{ url: string }, null, null>('introspection.ts', {}))
    const { url } = issuer.ready
    const environment = { BRANDS_FILE: await writeOpaqueBrands(folder, url) }
    const bellhop = await onStage(scene, startBellhop(folder, { environment }))
    const tokens = { introspection: `${url}/introspect` }
    const endpoint = embeddedEndpoint(folder)
    const floor = await onStage(scene, startFloor(folder, { endpoint, issuer: url, tokens }))
    const fresh = ticketsOf(opaqueHolders('fresh'))
    const returning = ticketsOf(opaqueHolders('returning'))
    await warmUp(bellhop.port, CONNECTIONS, 2, fresh, refusals)
    await warmUp(floor.ready.port, CONNECTIONS, 2, fresh, refusals)

    const rates = await compete(
      {
        floor: loadOf(floor.ready.port, CONNECTIONS, seconds, fresh),
        fresh: loadOf(bellhop.port, CONNECTIONS, seconds, fresh),
        returning: loadOf(bellhop.port, CONNECTIONS, seconds, returning),
      },
      rounds,
      refusals,
    )
    const against = { what: 'the floor that asks about each', rates: rates.floor }
    const row = (id: string, what: string, of: number[]) =>
      comparison({ id: `opaque.${id}`, what, rates: of, floor: against, goal: null })
    return [
      {
        id: 'opaque',
        title: 'Acceptance with opaque tokens',
        text:
          `At ${CONNECTIONS} connections, in ${rounds} alternating rounds of ${seconds} s. The issuer is a process ` +
          'of its own on the same machine that answers every question (RFC 7662) at once. The floor is the bare ' +
          'one, with one question to the issuer for each request in place of the signature, by a plain agent of Node ' +
          "that keeps its connections and sends the client's name and secret, as Bellhop does. Bellhop asks at most " +
          '20 questions at once and answers 503 to the next, so more connections would measure refusals.',
        columns: COMPARISON,
        rows: [
          row('fresh', 'every token new', rates.fresh),
          row('returning', 'tokens come back', rates.returning),
        ],
      },
    ]
  },
}
