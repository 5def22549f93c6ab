import type { StatusApplied } from '@tickmark/delivery';
import { MESSAGE_STATUSES } from '@tickmark/domain';
import type { Failpoints, Settled } from '@tickmark/runtime';
import { done, type Outcome, type RunningJob, type StatusCallbackPayload } from '@tickmark/queues';
import { countMessageError } from '../count-message-error.ts';
import { followFailures, type FollowFailuresDeps } from '../follow-failures.ts';
import { keepDeadLetters } from '../keep-dead-letters.ts';
import type { RecordBatches } from '../record-batches.ts';
import type { FinishedMessage } from '../send-signals.ts';
import { settleEach } from '../settle-each.ts';

export interface StatusCallbackDeps extends FollowFailuresDeps {
  batches: RecordBatches;
  failpoints: Failpoints;
}

/** One batch of statuses, applied together with whatever other jobs bring at the same moment. */
export function createStatusCallbackProcessor(deps: StatusCallbackDeps) {
  return async function applyBatch({ events }: StatusCallbackPayload, job: RunningJob): Promise<Outcome> {
    const settled = await settleEach(events.map((event) => deps.batches.statuses.commit(event)));
    await deps.failpoints.reach('status-after-log');
    await keepDeadLetters(deps, { queue: 'status-callback', jobId: job.id, items: events, settled });
    countStatuses(deps, settled);
    deps.signals.finished(finishedMessages(settled));
    // Also for what was logged before: a run after a crash must still make the retries.
    await followFailures(deps, events, settled);
    return done();
  };
}

/** The messages that this batch brought to their end; a read after a delivered is none. */
function finishedMessages(settled: readonly Settled<StatusApplied>[]): FinishedMessage[] {
  return settled.flatMap((result) => {
    if (!result.ok || result.value.from === null || result.value.to === null) return [];
    const { from, to, sender, contentSid, campaign, errorCode } = result.value;
    return MESSAGE_STATUSES[to].final && !MESSAGE_STATUSES[from].final ? [{ sender, template: contentSid, campaign, errorCode }] : [];
  });
}

function countStatuses({ metrics, log }: StatusCallbackDeps, settled: readonly Settled<StatusApplied>[]): void {
  const applied = settled.flatMap((result) => (result.ok ? [result.value] : []));
  for (const { kind, logged, from, to, errorCode, latencyMs } of applied) {
    metrics.statusEvents.inc({ kind });
    if (!logged) continue;
    if (to !== null && to !== from) metrics.messageStatus.inc({ status: to });
    if (errorCode !== null) countMessageError(metrics, errorCode);
    if (latencyMs.toSent !== null) metrics.deliveryLatency.observe({ stage: 'sent' }, latencyMs.toSent / 1000);
    if (latencyMs.toDelivered !== null) metrics.deliveryLatency.observe({ stage: 'delivered' }, latencyMs.toDelivered / 1000);
    if (latencyMs.toRead !== null) metrics.deliveryLatency.observe({ stage: 'read' }, latencyMs.toRead / 1000);
  }
  const fresh = applied.filter((result) => result.logged).length;
  log.info({ events: settled.length, logged: fresh, repeated: applied.length - fresh }, 'status batch applied');
}
