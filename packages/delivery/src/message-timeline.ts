import { projectTwilioStatus, rankOf } from '@tickmark/domain';
import { SYSTEM_ACTOR } from './write-audit.ts';
import type { auditLog, messageAttempts, messageStatusLogs, whatsappMessages } from './schema.ts';

/** One thing that happened to a message. Absent is null. */
export interface TimelineEntry {
  /** ISO 8601 in UTC. */
  at: string;
  kind: 'accepted' | 'attempt' | 'callback' | 'reconciled' | 'operator';
  /** Of an attempt its outcome, of a callback Twilio's own word, of an operator the action. */
  status: string | null;
  errorCode: number | null;
  attempt: number | null;
  /** Who told it: `callback`, `poll`, `list`, the actor of an action, the producer, or of a suppression who said so. */
  source: string | null;
}

type StatusLog = typeof messageStatusLogs.$inferSelect;

interface TimelineRows {
  row: typeof whatsappMessages.$inferSelect;
  attempts: readonly (typeof messageAttempts.$inferSelect)[];
  logs: readonly StatusLog[];
  audits: readonly (typeof auditLog.$inferSelect)[];
  endings: readonly TimelineEntry[];
  /** Of a retry that somebody asked for, who it was: it is due at once, one of the system's later. */
  retriedBy: string | null;
}

/** What happened to a message, oldest first; what happened in the same millisecond in the order of a message's life. */
export function buildTimeline(rows: TimelineRows): TimelineEntry[] {
  const entries = [...acceptance(rows), ...attemptsOf(rows), ...callbacks(rows), ...actions(rows), ...rows.endings];
  return entries.toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

function acceptance({ row, retriedBy }: TimelineRows): TimelineEntry[] {
  if (row.origin === 'retry') {
    return [
      {
        at: row.createdAt.toISOString(),
        kind: 'accepted',
        status: retriedBy === null ? 'scheduled' : 'accepted',
        errorCode: null,
        attempt: null,
        source: retriedBy ?? SYSTEM_ACTOR,
      },
    ];
  }
  if (row.acceptedAt === null) return [];
  const status = row.sendAt !== null && row.sendAt > row.acceptedAt ? 'scheduled' : 'accepted';
  return [{ at: row.acceptedAt.toISOString(), kind: 'accepted', status, errorCode: null, attempt: null, source: row.producer }];
}

function attemptsOf({ row, attempts }: TimelineRows): TimelineEntry[] {
  // The newest attempt is on the message's own row. Its error code counts as long as the call itself set it.
  const own = {
    attempt: row.attempts,
    claimedAt: row.claimedAt,
    endedAt: row.endedAt,
    outcome: row.outcome,
    errorCode: row.outcome === 'accepted' ? null : row.errorCode,
  };
  const older = attempts.filter(({ attempt }) => attempt < row.attempts);
  return [...older, own].flatMap(({ attempt, claimedAt, endedAt, outcome, errorCode }) => {
    const at = claimedAt ?? endedAt;
    return at === null ? [] : [{ at: at.toISOString(), kind: 'attempt' as const, status: outcome, errorCode, attempt, source: null }];
  });
}

function callbacks({ logs }: TimelineRows): TimelineEntry[] {
  return logs.toSorted(byStage).map(({ receivedAt, source, status, errorCode, attempt }) => ({
    at: receivedAt.toISOString(),
    kind: source === 'callback' ? ('callback' as const) : ('reconciled' as const),
    status,
    errorCode,
    attempt,
    source,
  }));
}

function byStage(a: StatusLog, b: StatusLog): number {
  const [stageA, stageB] = [a, b].map(({ status }) => projectTwilioStatus(status));
  return (stageA ? rankOf(stageA) : 0) - (stageB ? rankOf(stageB) : 0);
}

/** What people did, and what the system repaired by itself; a producer's repeated key is no event of the message. */
function actions({ audits }: TimelineRows): TimelineEntry[] {
  return audits
    .filter(({ action }) => !action.startsWith('idempotency_'))
    .map(({ at, actor, action }) => ({
      at: at.toISOString(),
      kind: actor === SYSTEM_ACTOR ? ('reconciled' as const) : ('operator' as const),
      status: action,
      errorCode: null,
      attempt: null,
      source: actor,
    }));
}
