import type { CancelAnswer } from '@tickmark/delivery';
import { done, snooze, type CancelPayload, type Outcome, type Producers } from '@tickmark/queues';
import type { Clock, Logger, Metrics } from '@tickmark/runtime';
import type { RecordBatches } from '../record-batches.ts';

/** Between two looks for a message that may be on its way. */
const LOOK_AGAIN_MS = 100;

/** How far apart the clocks of two ingresses may be: the message may have come by one and its cancellation by the other. */
const CLOCK_SKEW_MS = 1_000;

export interface CancelDeps {
  batches: Pick<RecordBatches, 'cancels'>;
  producers: Pick<Producers, 'answerCancel' | 'hasIntakeBefore'>;
  clock: Clock;
  metrics: Pick<Metrics, 'messageStatus'>;
  log: Logger;
}

/**
 * One request to cancel a message, answered to whoever waits.
 *
 * A message that is not there may still be in intake. While it may be, nobody is told that there is none: the ingress answers that the
 * cancellation was requested, and the kept request ends the message when it comes. "Not found" is said when nothing that was added to intake
 * before the request is left there.
 */
export function createCancelProcessor(deps: CancelDeps) {
  const { batches, producers, clock, metrics, log } = deps;
  const cancel = async ({ id, producer }: CancelPayload): Promise<CancelAnswer> => {
    const answer = await batches.cancels.commit({ id, producer });
    if (answer.changed) metrics.messageStatus.inc({ status: 'canceled' });
    return answer;
  };

  return async function cancelMessage(payload: CancelPayload): Promise<Outcome> {
    let answer = await cancel(payload);
    if (answer.result === 'not_found') {
      const nowMs = clock.now().getTime();
      const lastBefore = new Date(Date.parse(payload.requestedAt) + CLOCK_SKEW_MS);
      if (await producers.hasIntakeBefore(lastBefore)) {
        return nowMs < Date.parse(payload.answerBy) ? snooze(nowMs + LOOK_AGAIN_MS) : done();
      }
      // Again, because it may have been inserted between the two looks.
      answer = await cancel(payload);
    }
    await producers.answerCancel(payload.replyTo, answer.result);
    log.info({ messageId: payload.id, result: answer.result, changed: answer.changed }, 'cancellation answered');
    return done();
  };
}
