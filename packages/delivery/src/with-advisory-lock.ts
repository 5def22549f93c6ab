import type { Database } from './database.ts';

export type AdvisoryLockResult<R> = { ran: true; value: R } | { ran: false };

export function withAdvisoryLock<R>(_db: Pick<Database, 'sql'>, _name: string, _run: () => Promise<R>): Promise<AdvisoryLockResult<R>> {
  throw new Error('not written yet');
}
