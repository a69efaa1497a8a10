import { startBellhop } from '../servers.ts'
import { BODY, makeBacklog, SUBJECT } from './backlog.ts'
import { type BenchRow, COMPARISON, comparison } from './comparison.ts'
import { compete } from './contest.ts'
import { type Group, onStage } from './group.ts'
import { mailBrands, startSink, writeMailBrands } from './mail-desks.ts'
import { startPeer } from './peer.ts'
import { startPostgres, withSql } from './postgres.ts'

/** Attempts at once that a process makes for one brand, and so the sessions that it has with its desk. */
const OF_A_BRAND = 5

const CASES = [
  { id: 'one', brands: 1, inShort: true },
  { id: 'eight', brands: 8, inShort: false },
]

export const carrying: Group = {
  id: 'carrying',
  inShort: true,
  async run(context) {
    const { folder, scene, form, rounds, seconds, say, refusals } = context
    const postgres = await onStage(scene, startPostgres(folder))
    const sink = await startSink(context)
    const rows: BenchRow[] = []
    for (const { id, brands: count, inShort } of CASES) {
      if (form === 'short' && !inShort) continue
      const brands = mailBrands(count)
      const connections = count * OF_A_BRAND
      const { endpoint, url } = await postgres.create()
      const environment = { DATABASE_URL: url, BRANDS_FILE: await writeMailBrands(folder, brands, sink.port) }
      const worker = await onStage(scene, startBellhop(folder, { command: 'worker', environment }))
      const settings = { port: sink.port, connections, subject: SUBJECT, body: BODY }
      const mailer = await onStage(scene, startPeer<null, number, null>('mailer.ts', settings))
      const carry = (mails: number) => () =>
        sink.rate(mails, () => withSql(endpoint, (sql) => makeBacklog(sql, brands, mails)))
      const send = (mails: number) => () => sink.rate(mails, () => mailer.ask(mails))

      // Both warm up, and show how many mails fill a turn.
      await send(500)()
      const pace = await carry(500)()
      const mails = Math.ceil(pace * seconds)
      say(`${connections} connections, ${mails} mails in each turn`)
      const rates = await compete({ mailer: send(mails), bellhop: carry(mails) }, rounds, refusals)
      rows.push(
        comparison({
          id: `carrying.${id}`,
          what: `${count} brand${count === 1 ? '' : 's'}, ${connections} connections`,
          rates: rates.bellhop,
          floor: { what: "nodemailer's pool alone", rates: rates.mailer },
          goal: null,
        }),
      )
      await worker.stop()
      await mailer.stop()
    }
    return [
      {
        id: 'carrying',
        title: 'Carrying',
        text:
          'Mails a second that one `bellhop worker` carries out of a backlog to a mail server on the same machine ' +
          'that takes everything at once, against a process that does nothing but send the same mails with ' +
          `nodemailer's own pool and as many connections, in ${rounds} alternating rounds. The worker also claims ` +
          'each delivery and writes down its attempt, the answer and its end, each durably. For one brand a ' +
          `process makes ${OF_A_BRAND} attempts at once, and 100 for all of them. Rates are those of the sink, over ` +
          'the middle three quarters of the mails. With a mail server that takes 100 ms for a mail, one brand is ' +
          `bound by its ${OF_A_BRAND} places to ${OF_A_BRAND * 10} mails a second.`,
        columns: COMPARISON,
        rows,
        order: CASES.map(({ id }) => `carrying.${id}`),
      },
    ]
  },
}
