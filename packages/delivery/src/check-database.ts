import type { Database } from './database.ts';

export type DatabaseCheck = { ok: true } | { ok: false; reason: string };

export function checkDatabase(_db: Pick<Database, 'sql'>): Promise<DatabaseCheck> {
  throw new Error('not written yet');
}
