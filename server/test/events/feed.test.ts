import { expect, test } from 'vitest'
import { DatabaseDeadline } from '../../src/database/pool.ts'
import { readDatabaseId, readHorizon } from '../../src/events/change.store.ts'
import { EventFeed, type FeedDeps } from '../../src/events/feed.ts'
import { createLog } from '../../src/log.ts'
import { until } from './listener.ts'

test('what fails again and again is told once, and what else fails then once more', async () => {
  const lines: string[] = []
  let failure: Error = new TypeError('a bug')
  let looks = 0
  const run = async (_ms: number, work: unknown) => {
    if (work === readDatabaseId) return 'one'
    if (work === readHorizon) return { xid: 9n, id: '00000000-0000-0000-0000-000000000000' }
    looks++
    throw failure
  }
  const feed = new EventFeed({
    run: run as FeedDeps['run'],
    every: 1,
    random: () => 0.5,
    log: createLog({ level: 'debug', pretty: false, stream: { write: (line) => void lines.push(line) } }),
    onChanges: () => {},
    onReset: () => {},
  })
  await feed.join()
  for (const next of [new DatabaseDeadline('late'), new TypeError('a bug')]) {
    const before = looks
    await until(() => looks >= before + 5)
    failure = next
  }
  const before = looks
  await until(() => looks >= before + 5)
  feed.leave()
  await feed.stop()
  expect(lines.map((line) => JSON.parse(line).event)).toEqual(Array(3).fill('events_unread'))
})
