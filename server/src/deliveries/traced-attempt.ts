import { toId } from '../ids.ts'
import type { Traced } from '../tracing.ts'
import type { AttemptMeasure } from './carrier.ts'

/** An attempt as a trace shows it: ids, codes and times. */
export function tracedAttempt({ connector, seconds, outcome, ...attempt }: AttemptMeasure): Traced {
  return {
    name: `deliver by ${connector}`,
    kind: 'attempt',
    ms: seconds * 1000,
    attributes: {
      'bellhop.brand_id': attempt.brandId,
      'bellhop.ticket_id': attempt.ticketId,
      'bellhop.delivery_id': toId('dlv', attempt.deliveryId),
      'bellhop.attempt': attempt.attempt,
      'bellhop.outcome': outcome,
      'bellhop.code': attempt.code,
    },
    failed: outcome !== 'delivered',
  }
}
