import { cancelRetries, insertRetries, type Database, type FailedMessage, type StatusApplied } from '@tickmark/delivery';
import { decideOnFailure, projectTwilioStatus, type StatusEvent } from '@tickmark/domain';
import type { Clock, Logger, Metrics, Settled } from '@tickmark/runtime';
import type { Producers } from '@tickmark/queues';
import type { ErrorPolicies } from './error-policies.ts';
import type { SendSignals } from './send-signals.ts';
import type { StatusNews } from './status-news.ts';
import { toSendJob } from './to-send-job.ts';

export interface FollowFailuresDeps {
  db: Database;
  producers: Producers;
  news: Pick<StatusNews, 'changed'>;
  policies: Pick<ErrorPolicies, 'actionFor'>;
  signals: SendSignals;
  clock: Clock;
  metrics: Metrics;
  log: Logger;
}

/**
 * Carries out what statuses that were applied lead to: failures of a retryable code make new rows, and an arrival after a failure cancels
 * the retry that still waits. Safe to repeat, and to be repeated with the batch: a crash in between loses no retry.
 *
 * @param applied one result per event, in order
 */
export async function followFailures(
  deps: FollowFailuresDeps,
  events: readonly StatusEvent[],
  applied: readonly Settled<StatusApplied>[],
): Promise<void> {
  const failed: FailedMessage[] = [];
  const arrivedAfterAll = new Set<string>();
  for (const [index, event] of events.entries()) {
    const result = applied[index];
    if (!result?.ok || result.value.messageId === null) continue;
    const { messageId, contradicted } = result.value;
    if (isFailure(event) && event.errorCode !== null) failed.push(...follow(deps, event.errorCode, messageId, result.value));
    else if (contradicted && isArrival(event)) arrivedAfterAll.add(messageId);
  }
  if (failed.length > 0) await retryFailed(deps, failed);
  if (arrivedAfterAll.size > 0) {
    const canceled = await cancelRetries(deps.db, [...arrivedAfterAll]);
    if (canceled.length > 0) deps.metrics.messageStatus.inc({ status: 'canceled' }, canceled.length);
    deps.news.changed(canceled);
  }
}

function isFailure({ rawStatus }: StatusEvent): boolean {
  const status = projectTwilioStatus(rawStatus);
  return status === 'failed' || status === 'undelivered';
}

function isArrival({ rawStatus }: StatusEvent): boolean {
  const status = projectTwilioStatus(rawStatus);
  return status === 'delivered' || status === 'read';
}

function follow({ policies, signals }: FollowFailuresDeps, code: number, id: string, applied: StatusApplied): FailedMessage[] {
  const { logged, sender, contentSid, campaign } = applied;
  if (logged) signals.failedLater(code, { sender, template: contentSid, campaign });
  const decision = decideOnFailure(code, policies.actionFor(code));
  return decision.action === 'nothing' ? [] : [{ id, errorCode: code, decision }];
}

async function retryFailed(
  { db, producers, news, clock, metrics, log }: FollowFailuresDeps,
  failed: readonly FailedMessage[],
): Promise<void> {
  const settled = await insertRetries(db, failed);
  const rows = settled.flatMap((result) => (result.ok && result.value !== null ? [result.value] : []));
  for (const result of settled) if (!result.ok) log.error({ err: result.error }, 'the retry of a failed message could not be stored');
  if (rows.length === 0) return;
  for (const { status } of rows) metrics.messageStatus.inc({ status });
  news.changed(rows.map(({ id }) => id));
  const held = rows.filter((row) => !row.waiting).length;
  log.info({ failed: failed.length, retries: rows.length - held, held }, 'failed messages are sent again or held');
  await producers.addSend(rows.flatMap((row) => toSendJob(row, clock.now())));
}
