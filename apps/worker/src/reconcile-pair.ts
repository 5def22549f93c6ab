import {
  adoptListed,
  recordFailedLooks,
  recordLooks,
  type Database,
  type DueUnknown,
  type ListVerdict,
  type Look,
  type ResentMessage,
  type UnknownPair,
} from '@tickmark/delivery';
import { LISTED_BEFORE_CLAIM_MS, listedStatusEvent, type ListedMessage } from '@tickmark/domain';
import type { Clock, Logger, Metrics } from '@tickmark/runtime';
import type { Producers } from '@tickmark/queues';
import type { MessageLister } from '@tickmark/twilio';
import type { AbsenceProof } from './prove-absence.ts';
import type { StatusNews } from './status-news.ts';

export interface ReconcilePairDeps {
  db: Database;
  producers: Producers;
  lister: Pick<MessageLister, 'list' | 'close'>;
  news?: Pick<StatusNews, 'changed'>;
  clock: Clock;
  metrics: Metrics;
  log: Logger;
}

interface Judged {
  attempt: DueUnknown;
  /** Null: not now, because a call of the same pair is under way. */
  found: Look['kind'] | 'adopted' | null;
  candidates: readonly ListedMessage[];
}

/**
 * One look at everything unknown that went from one sender to one person: what the list shows is adopted, what it does not show is absent as
 * far as that can be proven, and what is proven absent twice is sent once more if its policy says so.
 *
 * @returns false when Twilio gave no list; the look comes again. Safe to repeat.
 */
export async function reconcilePair(deps: ReconcilePairDeps, pair: UnknownPair, proveAbsence: AbsenceProof): Promise<boolean> {
  const { senderAddress, recipient, attempts } = pair;
  const earliestMs = Math.min(...attempts.map(({ claimedAt }) => claimedAt.getTime()));
  const answer = await deps.lister.list({ recipient, senderAddress, since: new Date(earliestMs - LISTED_BEFORE_CLAIM_MS) });
  if (answer.kind === 'failed') {
    await recordFailedLooks(deps.db, attempts);
    deps.metrics.reconciled.inc({ result: 'failed' }, attempts.length);
    return false;
  }
  if (answer.kind === 'too_many') {
    const judged = attempts.map((attempt): Judged => ({ attempt, found: 'unproven', candidates: [] }));
    await keepLooks(deps, pair, judged);
    return true;
  }
  const { verdicts, known } = await adoptListed(deps.db, { senderAddress, recipient, messages: answer.messages });
  await applyListed(deps, verdicts);
  const judged = await Promise.all(
    attempts.flatMap((attempt) => {
      const verdict = verdicts.find(({ id, attempt: number }) => id === attempt.id && number === attempt.attempt);
      // None: it was resolved while the list was read.
      return verdict ? [judge(attempt, verdict, () => proveAbsence({ senderAddress, claimedAt: attempt.claimedAt, known }))] : [];
    }),
  );
  await keepLooks(deps, pair, judged);
  return true;
}

async function judge(attempt: DueUnknown, verdict: ListVerdict, prove: () => Promise<boolean>): Promise<Judged> {
  switch (verdict.kind) {
    case 'adopted':
      return { attempt, found: 'adopted', candidates: [] };
    case 'ambiguous':
      return { attempt, found: 'ambiguous', candidates: verdict.candidates };
    case 'waiting':
      return { attempt, found: null, candidates: [] };
    case 'absent':
      return { attempt, found: (await prove()) ? 'absent' : 'unproven', candidates: [] };
    default:
      return verdict satisfies never;
  }
}

/** What the list says of an adopted message's status goes the way of every status. */
async function applyListed({ producers, news, clock }: ReconcilePairDeps, verdicts: readonly ListVerdict[]): Promise<void> {
  const receivedAt = clock.now().toISOString();
  const adopted = verdicts.filter((verdict) => verdict.kind === 'adopted');
  news?.changed(adopted.map(({ id }) => id));
  const events = adopted.map(({ message }) => listedStatusEvent(message, receivedAt));
  if (events.length > 0) await producers.addStatusEvents(events);
}

async function keepLooks(deps: ReconcilePairDeps, pair: UnknownPair, judged: readonly Judged[]): Promise<void> {
  const resent = await recordLooks(deps.db, judged.flatMap(toLook));
  const notNow = judged.filter(({ found }) => found === null);
  await recordFailedLooks(
    deps.db,
    notNow.map(({ attempt }) => attempt),
  );
  for (const { attempt, found, candidates } of judged) {
    if (found !== null) deps.metrics.reconciled.inc({ result: found });
    const { id: messageId, attempt: number, looks } = attempt;
    const isResent = resent.some(({ id }) => id === messageId);
    const told = {
      messageId,
      attempt: number,
      sender: pair.sender,
      look: looks + 1,
      found,
      candidates: candidates.length,
      resent: isResent,
    };
    deps.log.info(told, 'unknown outcome looked up');
  }
  if (resent.length > 0) await addJobs(deps, resent);
}

function toLook({ attempt, found, candidates }: Judged): Look[] {
  if (found === null || found === 'adopted') return [];
  return [{ id: attempt.id, attempt: attempt.attempt, looksBefore: attempt.looks, kind: found, candidates }];
}

async function addJobs({ producers, news, metrics, log }: ReconcilePairDeps, resent: readonly ResentMessage[]): Promise<void> {
  metrics.reconciled.inc({ result: 'resent' }, resent.length);
  metrics.messageStatus.inc({ status: 'retrying' }, resent.length);
  news?.changed(resent.map(({ id }) => id));
  try {
    await producers.addSend(resent);
  } catch (error) {
    // The look itself was good; the sweeper gives them their jobs.
    log.warn({ err: error, messages: resent.length }, 'messages to be sent once more could not be added to their queue');
  }
}
