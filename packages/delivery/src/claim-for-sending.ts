import type { MessageStatus, SendRequest } from '@tickmark/domain';
import type { Database } from './database.ts';
import type { Settled } from '@tickmark/runtime';

export interface Claim {
  id: string;
  /** UUID made once per job run. */
  token: string;
}

export type ClaimAnswer =
  | { kind: 'claimed'; request: SendRequest; sender: string; claimedAt: Date }
  | { kind: 'not_due'; dueAt: Date }
  | { kind: 'ended'; status: MessageStatus }
  | { kind: 'not_mine' };

export function claimForSending(_db: Pick<Database, 'sql'>, _claims: readonly Claim[]): Promise<Settled<ClaimAnswer>[]> {
  throw new Error('not written yet');
}
