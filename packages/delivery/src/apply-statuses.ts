import { projectTwilioStatus, type MessageStatus, type StatusEvent } from '@tickmark/domain';
import type { Settled } from '@tickmark/runtime';
import type postgres from 'postgres';
import { applyEvidence, LostRaceError, type AppliedEvidence } from './apply-evidence.ts';
import { inTransaction, type Database, type RawSql } from './database.ts';
import { evidenceOfEvents } from './evidence.ts';
import { insertStatusLogs, logKey } from './insert-status-logs.ts';
import { makeExternalRows } from './make-external-rows.ts';
import { LostRowsError, makeRecoveredRows, tellOfLostRows } from './make-missing-rows.ts';
import { sanitizeText } from './sanitize-text.ts';
import { settleBatch } from './settle-batch.ts';
import { suppressFailed } from './suppress-opted-out.ts';

/** Each finds what the one before made; what needs more has raced with deletions. */
const LOST_RUNS_MAX = 4;

export interface StatusApplied {
  /** The row that the event belongs to; null when there is none (its row was deleted on purpose). */
  messageId: string | null;
  /**
   * The strongest thing that happened: `external` / `recovered` a row was made · `bound` the sid was bound to its row · `raised` the
   * status changed · `attempt` an older attempt learned of it · `logged` only the log grew · `duplicate` nothing new ·
   * `other_sid` its attempt is bound to another sid (logged) · `deleted` its row was cleaned up or erased (nothing is stored).
   */
  kind: 'external' | 'recovered' | 'bound' | 'raised' | 'attempt' | 'logged' | 'duplicate' | 'other_sid' | 'deleted';
  /** Whether this event really added a row to the log: the metrics count only those. */
  logged: boolean;
  /**
   * Status of the message before and after. A change of the batch is told with one event, the one that the new status is from; for all
   * others both are the new status. `from` is null when the row was made for this event; both are null without a row.
   */
  from: MessageStatus | null;
  to: MessageStatus | null;
  /** Alias; null for a message that none of our senders sent. */
  sender: string | null;
  contentSid: string | null;
  campaign: string | null;
  /** Of the message: both an arrival and a final failure were told. */
  contradicted: boolean;
  /** The event's own. */
  errorCode: number | null;
  /**
   * Milliseconds from acceptance (or the scheduled time) to the stage that this event was the first to tell; null otherwise. Told once per
   * message and stage, and only of callbacks: a poll tells of a stage long after it was reached.
   */
  latencyMs: { toSent: number | null; toDelivered: number | null; toRead: number | null };
}

/**
 * Applies statuses to the messages that they belong to: each is logged once, the row is raised and never lowered, a sid that came with
 * our id is bound to its row. One transaction for the batch; answers in the order of the events.
 *
 * Any order, any repetition and any split into batches end in the same rows and the same log. Safe to repeat.
 */
export function applyStatuses(db: Pick<Database, 'sql'>, events: readonly StatusEvent[]): Promise<Settled<StatusApplied>[]> {
  return settleBatch(events.map(sanitize), async (batch) => {
    const evidence = evidenceOfEvents(batch);
    const made = new Map<string, 'external' | 'recovered'>();
    for (const sid of await makeExternalRows(db.sql, evidence)) made.set(sid, 'external');
    return makingLostRows(db.sql, made, () =>
      inTransaction(db.sql, async (tx) => {
        const applied = await logBatch(tx, batch, await applyEvidence(tx, evidence, made, tellOfLostRows));
        await suppressFailed(tx, batch);
        return applied;
      }),
    );
  });
}

/** Runs a batch; when it finds that rows are lost, which is rare, they are made, and it is run again. */
async function makingLostRows<R>(sql: RawSql, made: Map<string, 'external' | 'recovered'>, run: () => Promise<R>): Promise<R> {
  for (let runs = 1; ; runs += 1) {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof LostRowsError)) throw error;
      if (runs === LOST_RUNS_MAX) throw new LostRaceError('the rows of a batch kept going away');
      for (const sid of await makeRecoveredRows(sql, error.items)) made.set(sid, 'recovered');
    }
  }
}

async function logBatch(
  tx: postgres.ISql,
  events: readonly StatusEvent[],
  applied: ReadonlyMap<string, AppliedEvidence>,
): Promise<StatusApplied[]> {
  const lines = events.flatMap((event) => {
    const { messageId = null, attempt = null } = applied.get(event.messageSid) ?? {};
    return messageId === null ? [] : [{ event, messageId, attempt: event.attempt ?? attempt }];
  });
  const added = lines.length === 0 ? new Set<string>() : await insertStatusLogs(tx, lines);
  const isNew = events.map((event) => added.delete(logKey(event)));
  const tellers = findTellers(events, isNew, applied);
  const firsts = findFirsts(events, isNew);
  return events.map((event, index) => {
    const result = applied.get(event.messageSid);
    if (result === undefined) throw new Error('an event of the batch was not applied');
    const role = { logged: isNew[index] === true, tellsChange: tellers.get(event.messageSid) === index, measures: firsts.has(index) };
    return describe(event, result, role);
  });
}

/** For each sid the event that the batch's change is told with: the new one that the status is from, else the first one. */
function findTellers(
  events: readonly StatusEvent[],
  isNew: readonly boolean[],
  applied: ReadonlyMap<string, AppliedEvidence>,
): Map<string, number> {
  const tellers = new Map<string, { index: number; score: number }>();
  events.forEach((event, index) => {
    const { to, errorCode } = applied.get(event.messageSid) ?? {};
    const isCause = projectTwilioStatus(event.rawStatus) === to && (errorCode === null || event.errorCode === errorCode);
    const score = (isNew[index] ? 2 : 0) + (isCause ? 1 : 0);
    if (score > (tellers.get(event.messageSid)?.score ?? -1)) tellers.set(event.messageSid, { index, score });
  });
  return new Map([...tellers].map(([sid, { index }]) => [sid, index]));
}

/** For each sid and stage the new callback that came first, by which its latency is measured: one stage may have several lines. */
function findFirsts(events: readonly StatusEvent[], isNew: readonly boolean[]): Set<number> {
  const firsts = new Map<string, { index: number; receivedMs: number }>();
  events.forEach(({ messageSid, rawStatus, receivedAt, source }, index) => {
    if (!isNew[index] || source !== 'callback') return;
    const stage = `${messageSid} ${projectTwilioStatus(rawStatus)}`;
    const receivedMs = Date.parse(receivedAt);
    if (receivedMs < (firsts.get(stage)?.receivedMs ?? Infinity)) firsts.set(stage, { index, receivedMs });
  });
  return new Set([...firsts.values()].map(({ index }) => index));
}

/** What one event of a batch stands for. */
interface Role {
  logged: boolean;
  tellsChange: boolean;
  measures: boolean;
}

function describe(event: StatusEvent, applied: AppliedEvidence, { logged, tellsChange, measures }: Role): StatusApplied {
  const { messageId, to, sender, contentSid, campaign, contradicted } = applied;
  const from = tellsChange ? applied.from : to;
  return {
    messageId,
    kind: nameKind(applied, logged, tellsChange),
    logged,
    from,
    to,
    sender,
    contentSid,
    campaign,
    contradicted,
    errorCode: event.errorCode,
    latencyMs: measureLatency(event, applied, measures),
  };
}

function nameKind(applied: AppliedEvidence, logged: boolean, tellsChange: boolean): StatusApplied['kind'] {
  if (applied.place === 'deleted') return 'deleted';
  if (tellsChange && applied.made) return applied.made;
  if (tellsChange && applied.bound) return 'bound';
  if (tellsChange && applied.from !== applied.to) return 'raised';
  if (!logged) return 'duplicate';
  return applied.place === 'message' ? 'logged' : applied.place;
}

function measureLatency(event: StatusEvent, applied: AppliedEvidence, measures: boolean): StatusApplied['latencyMs'] {
  const status = measures ? projectTwilioStatus(event.rawStatus) : null;
  const startedAt = applied.startedAt;
  const ms = startedAt === null ? null : Math.max(0, Date.parse(event.receivedAt) - startedAt.getTime());
  return {
    toSent: status === 'sent' && applied.sentFirst ? ms : null,
    toDelivered: status === 'delivered' && applied.deliveredFirst ? ms : null,
    toRead: status === 'read' && applied.readFirst ? ms : null,
  };
}

function sanitize(event: StatusEvent): StatusEvent {
  return {
    ...event,
    messageSid: sanitizeText(event.messageSid),
    rawStatus: sanitizeText(event.rawStatus),
    from: sanitizeText(event.from),
    to: sanitizeText(event.to),
    messagingServiceSid: sanitizeText(event.messagingServiceSid),
    channelStatusMessage: sanitizeText(event.channelStatusMessage),
  };
}
