import type { Claim } from './claim-for-sending.ts';
import type { Database } from './database.ts';
import type { Settled } from '@tickmark/runtime';

export interface ReleaseAnswer {
  /** False: the row is no longer claimed under this token, nothing changed. */
  released: boolean;
}

export function releaseClaim(_db: Pick<Database, 'sql'>, _claims: readonly Claim[]): Promise<Settled<ReleaseAnswer>[]> {
  throw new Error('not written yet');
}
