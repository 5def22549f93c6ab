import { releaseClaim, type Database } from '@tickmark/delivery';
import type { Clock, Logger, Metrics } from '@tickmark/runtime';
import { done, type Outcome, type Producers, type RunningJob, type SendOutcomePayload } from '@tickmark/queues';
import { keepDeadLetters } from '../keep-dead-letters.ts';
import type { RecordBatches } from '../record-batches.ts';
import { reportRecorded } from '../report-recorded.ts';
import { settleEach } from '../settle-each.ts';
import { toSendJob } from '../to-send-job.ts';

export interface SendOutcomeDeps {
  db: Database;
  batches: Pick<RecordBatches, 'outcomes'>;
  producers: Producers;
  clock: Clock;
  metrics: Metrics;
  log: Logger;
}

/**
 * What Postgres could not be told when it happened, told now, by the same statements. Safe to repeat, however late: a row that has a newer
 * claim is not touched.
 */
export function createSendOutcomeProcessor(deps: SendOutcomeDeps) {
  return async function tellLater(payload: SendOutcomePayload, job: RunningJob): Promise<Outcome> {
    if (!('attempt' in payload)) return giveBack(deps, payload);
    const settled = await settleEach([deps.batches.outcomes.commit(payload)]);
    await keepDeadLetters(deps, { queue: 'send-outcome', jobId: job.id, items: [payload], settled });
    for (const result of settled) {
      const dueAt = result.ok ? reportRecorded(deps, payload, result.value) : null;
      // The send job ended when it handed this over.
      if (dueAt !== null) await deps.producers.addSend(toSendJob({ ...payload, dueAt }, deps.clock.now()));
    }
    return done();
  };
}

/** Its send job was put off, and claims the row again. */
async function giveBack({ db, log }: SendOutcomeDeps, { id, token }: { id: string; token: string }): Promise<Outcome> {
  const [settled] = await releaseClaim(db, [{ id, token }]);
  log.info({ messageId: id, released: settled?.ok === true && settled.value.released }, 'claim without a call given back');
  return done();
}
