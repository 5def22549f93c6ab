import type { InboundMessage } from '@tickmark/domain';
import type { Database } from './database.ts';
import type { Settled } from '@tickmark/runtime';

export interface InboundRecorded {
  messageSid: string;
  /** False when this MessageSid was stored before. */
  stored: boolean;
}

export function recordInbound(_db: Pick<Database, 'sql'>, _messages: readonly InboundMessage[]): Promise<Settled<InboundRecorded>[]> {
  throw new Error('not written yet');
}
