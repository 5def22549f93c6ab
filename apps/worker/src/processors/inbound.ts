import { recordInbound, recordSuppressions, type SuppressionEvent } from '@tickmark/delivery';
import { readOptOut, type InboundMessage, type OptOutRequest } from '@tickmark/domain';
import type { Logger, Metrics } from '@tickmark/runtime';
import { done, type InboundPayload, type Outcome, type RunningJob } from '@tickmark/queues';
import { handOverInbound, type HandOverInboundDeps } from '../hand-over-inbound.ts';
import { keepDeadLetters } from '../keep-dead-letters.ts';

export interface InboundDeps extends HandOverInboundDeps {
  metrics: Metrics;
  log: Logger;
}

/**
 * One batch of messages from people: each stored once per MessageSid, each renewing its customer-service window; who asks to be written to
 * no more is not; and each handed to consumers. All of it may be repeated: what was said later wins, in whatever order it comes.
 */
export function createInboundProcessor(deps: InboundDeps) {
  return async function storeBatch({ messages }: InboundPayload, job: RunningJob): Promise<Outcome> {
    const settled = await recordInbound(deps.db, messages);
    await keepDeadLetters(deps, { queue: 'inbound', jobId: job.id, items: messages, settled });
    // With the time at which it was heard of first.
    const readable = settled.flatMap((result, index) => {
      const message = messages[index];
      if (!result.ok || message === undefined) return [];
      return [{ message: { ...message, receivedAt: result.value.receivedAt }, isNew: result.value.stored }];
    });
    const changed = await followOptOuts(
      deps,
      readable.map(({ message }) => message),
    );
    // What was stored before was handed over then, or is the sweeper's.
    const stored = readable.flatMap(({ message, isNew }) => (isNew ? [message] : []));
    const handedOver = await handOverInbound(deps, stored);
    deps.log.info({ messages: messages.length, stored: stored.length, handedOver, optOuts: changed }, 'inbound batch stored');
    return done();
  };
}

/** @returns the number of suppressions that were set or ended */
async function followOptOuts({ db, optOutWords }: InboundDeps, messages: readonly InboundMessage[]): Promise<number> {
  const words = optOutWords();
  const events = messages.flatMap((message) => toSuppressions(message, readOptOut(message, words)));
  const settled = await recordSuppressions(db, events);
  // Everything in it was stored a moment ago, so no value of it is at fault: the batch comes again until the request is stored.
  for (const result of settled) if (!result.ok) throw result.error;
  return settled.filter((result) => result.ok && result.value).length;
}

/** For the number that was written to, and for the Messaging Service that it came through. START ends what any STOP or opt-out began. */
function toSuppressions(message: InboundMessage, request: OptOutRequest | null): SuppressionEvent[] {
  if (request === null) return [];
  const { from: recipient, to, messagingServiceSid, receivedAt: at } = message;
  const addresses = messagingServiceSid === null ? [to] : [to, messagingServiceSid];
  const categories = request === 'stop' ? (['all'] as const) : (['all', 'marketing'] as const);
  return addresses.flatMap((senderAddress) =>
    categories.map((category) => {
      const suppressed = request === 'stop';
      return { senderAddress, recipient, category, suppressed, at, source: 'inbound', reason: request.toUpperCase() };
    }),
  );
}
