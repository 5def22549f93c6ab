import type { Database } from './database.ts';

export function markStaleSending(_db: Pick<Database, 'sql'>, _options: { olderThanSeconds: number }): Promise<number> {
  throw new Error('not written yet');
}
