import type { Database } from './database.ts';

export interface DeadLetter {
  queue: string;
  jobId: string;
  /** The payload as it was in the queue. */
  payload: unknown;
  /** Why it ended here, for an operator. */
  reason: string;
}

export function insertDeadLetter(_db: Pick<Database, 'sql'>, _letter: DeadLetter): Promise<void> {
  throw new Error('not written yet');
}
