import { createHash } from 'node:crypto';
import type { JobsOptions } from 'bullmq';
import type { Redis } from 'ioredis';
import { inspectQueues } from './inspect-queues.ts';
import { QUEUES } from './names.ts';
import type { InboundMessagePayload } from './payloads.ts';
import type { QueueSet } from './queue-set.ts';

/** Some 10 MB: what consumers do not fetch stays in Postgres, and Redis is not filled by a queue that nobody reads. */
export const HANDED_OVER_MAX = 10_000;

/** For a plain Worker of BullMQ whose processor throws: ten tries within a quarter of an hour, then it is kept for its operator to look at. */
export const HANDED_OVER_RETRIES: JobsOptions = {
  attempts: 10,
  backoff: { type: 'exponential', delay: 1_000 },
  removeOnFail: { count: 1_000 },
};

const TWILIO_SID = /^[A-Z]{2}[0-9a-f]{32}$/;

/**
 * Adds messages to the queue that consumers read, one job each, its id the MessageSid: one that waits there already stays as it is.
 *
 * @returns how many of them, from the front, there was room for
 */
export async function addInboundMessages(
  { redis, queues, base }: { redis: Redis; queues: QueueSet; base: string },
  handed: readonly Omit<InboundMessagePayload, 'v'>[],
  waitingMax: number,
): Promise<number> {
  const queue = queues.get(QUEUES.inboundMessage);
  const [state] = await inspectQueues(redis, base, [QUEUES.inboundMessage]);
  const waiting = state ? state.waiting + state.active + state.delayed : 0;
  const taken = handed.slice(0, Math.max(0, waitingMax - waiting));
  if (taken.length === 0) return 0;
  const jobs = taken.map(({ message, optOut }): { name: string; data: InboundMessagePayload; opts: JobsOptions } => ({
    name: QUEUES.inboundMessage,
    data: { v: 1, message, optOut },
    opts: { ...HANDED_OVER_RETRIES, jobId: jobIdOf(message.messageSid) },
  }));
  await queue.addBulk(jobs);
  return taken.length;
}

/** BullMQ takes no colons and no plain numbers as ids; a sid that is none of Twilio's could be both. */
function jobIdOf(messageSid: string): string {
  return TWILIO_SID.test(messageSid) ? messageSid : createHash('sha256').update(messageSid).digest('hex');
}
