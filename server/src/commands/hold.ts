import { isLockTimeout, type Sql } from '../database/pool.ts'
import { heldSince, holdDeliveries, leasersAreThrough, releaseDeliveries } from '../deliveries/hold.ts'
import { OperatorError } from '../errors.ts'
import { toTime } from './table.ts'

/** Milliseconds for those who lease at the moment: longer than the server gives their statements. */
const PATIENCE = 15_000

/** `bellhop deliveries hold`: from its end on nothing is leased. */
export async function hold(sql: Sql, out: NodeJS.WritableStream): Promise<void> {
  const before = await whileNoneReleases(() => sql.begin((transaction) => holdDeliveries(transaction)))
  if (!(await leasersAreThrough(sql, PATIENCE))) {
    throw new OperatorError(
      'Delivery is on hold, but a transaction that began before it is not over, and what it leases is still ' +
        'carried: run this again to see whether it is',
    )
  }
  if (before !== null) {
    out.write(`Delivery is on hold already, since ${toTime(before)} UTC.\n`)
    return
  }
  out.write('Delivery is on hold. Tickets are accepted and wait; what is being carried now may still end.\n')
  out.write('To carry them: bellhop deliveries release\n')
}

/** `bellhop deliveries release`: workers carry again, within seconds. */
export async function release(sql: Sql, out: NodeJS.WritableStream): Promise<void> {
  const since = await whileNoneReleases(() => sql.begin((transaction) => releaseDeliveries(transaction)))
  out.write(
    since === null
      ? 'Delivery is not on hold.\n'
      : `Delivery goes on; it was on hold since ${toTime(since)} UTC.\n`,
  )
}

/** @throws OperatorError where a release of many deliveries is at work */
async function whileNoneReleases<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isLockTimeout(error)) throw error
    throw new OperatorError('Another hold or release is under way: nothing was changed, try again')
  }
}

/** What whoever looks at deliveries should know first; empty where they are carried. */
export async function holdNotice(sql: Sql): Promise<string> {
  const since = await heldSince(sql)
  return since === null ? '' : `delivery is on hold since ${toTime(since)} UTC: bellhop deliveries release`
}
