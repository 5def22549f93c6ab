import { recordInbound, type Database } from '@tickmark/delivery';
import type { Logger, Metrics } from '@tickmark/runtime';
import { done, type InboundPayload, type Outcome, type RunningJob } from '@tickmark/queues';
import { keepDeadLetters } from '../keep-dead-letters.ts';

export interface InboundDeps {
  db: Database;
  metrics: Metrics;
  log: Logger;
}

/** One batch of messages from people: each stored once per MessageSid, each renewing its customer-service window. */
export function createInboundProcessor(deps: InboundDeps) {
  return async function storeBatch({ messages }: InboundPayload, job: RunningJob): Promise<Outcome> {
    const settled = await recordInbound(deps.db, messages);
    await keepDeadLetters(deps, { queue: 'inbound', jobId: job.id, items: messages, settled });
    const stored = settled.filter((result) => result.ok && result.value.stored).length;
    deps.log.info({ messages: messages.length, stored }, 'inbound batch stored');
    return done();
  };
}
