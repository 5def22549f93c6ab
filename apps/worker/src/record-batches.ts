import {
  applyStatuses,
  cancelMessages,
  claimForSending,
  recordOutcome,
  type CancelAnswer,
  type CancelRequest,
  type Claim,
  type ClaimAnswer,
  type Database,
  type OutcomeRecord,
  type RecordAnswer,
  type StatusApplied,
  type WindowGuard,
} from '@tickmark/delivery';
import { decideOnRefusal, retryMessageId, type StatusEvent } from '@tickmark/domain';
import { createGroupCommit, type GroupCommit, type Metrics, type Settled } from '@tickmark/runtime';
import type { MessagesClient } from '@tickmark/twilio';
import type { DatabaseBreaker } from './database-breaker.ts';
import type { ErrorPolicies } from './error-policies.ts';
import type { StatusNews } from './status-news.ts';

/** Claims and outcomes: their statements end sooner than their callers come, so without a pause each would carry a handful. */
const SEND_INTERVAL_MS = 20;

/** Above the statement's own time-out: a database that says nothing at all must not hold an outcome that a queue could keep. */
const SEND_DEADLINE_MS = 10_000;

/** At some ten messages a second no claim waits for company; at hundreds the interval holds as ever. Outcomes are waited for by nobody. */
const CLAIMS_BURST = 3;

/** Statements under way per kind: one slow statement does not stop the others. */
const IN_FLIGHT_MAX = 2;
const STATUSES_IN_FLIGHT_MAX = 3;

/** As for claims: a job of callbacks brings some sixty, and a statement for two hundred costs little more than one for sixty. */
const STATUSES_INTERVAL_MS = 20;

/** The statements that many jobs make, each shared by all jobs that run at the same time. */
export interface RecordBatches {
  claims: GroupCommit<Claim, ClaimAnswer>;
  outcomes: GroupCommit<OutcomeRecord, RecordAnswer>;
  statuses: GroupCommit<StatusEvent, StatusApplied>;
  cancels: GroupCommit<CancelRequest, CancelAnswer>;
  drain(): Promise<void>;
}

interface RecordBatchesDeps {
  db: Database;
  twilio: Pick<MessagesClient, 'credentialsFingerprint'>;
  policies: Pick<ErrorPolicies, 'actionFor'>;
  breaker: Pick<DatabaseBreaker, 'watch'>;
  news: Pick<StatusNews, 'changed'>;
  metrics: Metrics;
}

export function createRecordBatches(
  { db, twilio, policies, breaker, news, metrics }: RecordBatchesDeps,
  { windowGuard }: { windowGuard: WindowGuard },
): RecordBatches {
  const shared = { minIntervalMs: SEND_INTERVAL_MS, collectTurn: true, inFlightMax: IN_FLIGHT_MAX, deadlineMs: SEND_DEADLINE_MS, metrics };
  // Asked each time: the secret may have been replaced a moment ago, which ends a stop of the account.
  const claim = (items: Claim[]) =>
    breaker
      .watch(() => claimForSending(db, items, { account: twilio.credentialsFingerprint(), windowGuard }))
      .then(telling(news, (answer, at) => (answer.kind === 'ended' && answer.byClaim ? items[at]?.id : null)));
  const decide = (code: number) => decideOnRefusal(code, policies.actionFor(code));
  const claims = createGroupCommit({ site: 'claims', flush: claim, burst: CLAIMS_BURST, ...shared });
  const record = (items: OutcomeRecord[]) =>
    breaker
      .watch(() => recordOutcome(db, items, decide))
      .then(telling(news, (answer, at) => (answer.kind === 'recorded' ? items[at]?.id : null)));
  const outcomes = createGroupCommit({ site: 'outcomes', flush: record, ...shared });
  const statuses = createGroupCommit({
    site: 'statuses',
    flush: (items: StatusEvent[]) =>
      applyStatuses(db, items).then(telling(news, (applied) => (applied.to === applied.from ? null : applied.messageId))),
    minIntervalMs: STATUSES_INTERVAL_MS,
    collectTurn: true,
    inFlightMax: STATUSES_IN_FLIGHT_MAX,
    metrics,
  });
  const cancel = (items: CancelRequest[]) =>
    cancelMessages(db, items).then(telling(news, ({ changed }, at) => (changed ? canceledIds(items[at]) : null)));
  const cancels = createGroupCommit({ site: 'cancels', flush: cancel, metrics });
  const all = [claims, outcomes, statuses, cancels];
  return {
    claims,
    outcomes,
    statuses,
    cancels,
    drain: async () => {
      await Promise.all(all.map((batch) => batch.drain()));
    },
  };
}

/** Passes a batch's answers on, and notes the messages that they changed. @param idOf null = unchanged */
function telling<Answer>(news: Pick<StatusNews, 'changed'>, idOf: (answer: Answer, at: number) => string | string[] | null | undefined) {
  return (settled: Settled<Answer>[]): Settled<Answer>[] => {
    news.changed(settled.flatMap((result, at) => (result.ok ? (idOf(result.value, at) ?? []) : [])));
    return settled;
  };
}

/** Either the message or its retry: of an id that has no row nothing is told. */
function canceledIds(request: CancelRequest | undefined): string[] {
  return request ? [request.id, retryMessageId(request.id.toLowerCase())] : [];
}
