import type { MessageStatus, SendOutcome } from '@tickmark/domain';
import type { Database } from './database.ts';
import type { Settled } from '@tickmark/runtime';

export interface OutcomeRecord {
  id: string;
  attempt: number;
  token: string;
  outcome: SendOutcome;
}

export type RecordAnswer =
  | { kind: 'recorded'; status: MessageStatus; dueAt: Date | null }
  /** A status callback had come first, or the outcome belongs to an older attempt: what was missing is filled in. */
  | { kind: 'merged' }
  /** Nothing here expects this outcome: recorded before, or the claim is someone else's. */
  | { kind: 'ignored' };

export function recordOutcome(_db: Pick<Database, 'sql'>, _records: readonly OutcomeRecord[]): Promise<Settled<RecordAnswer>[]> {
  throw new Error('not written yet');
}
