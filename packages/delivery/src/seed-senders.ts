import type { Sender } from '@tickmark/domain';
import type { Database } from './database.ts';

export interface SenderRow extends Sender {
  state: 'active' | 'paused';
}

export function seedSenders(_db: Pick<Database, 'sql'>, _senders: readonly Sender[]): Promise<void> {
  throw new Error('not written yet');
}

export function listSenders(_db: Pick<Database, 'sql'>): Promise<SenderRow[]> {
  throw new Error('not written yet');
}
