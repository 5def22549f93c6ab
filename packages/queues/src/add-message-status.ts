import type { Redis } from 'ioredis';
import { HANDED_OVER_RETRIES } from './add-inbound-messages.ts';
import { inspectQueues } from './inspect-queues.ts';
import { QUEUES } from './names.ts';
import type { MessageStatusPayload } from './payloads.ts';
import type { QueueSet } from './queue-set.ts';

/** Some 30 MB when every job is full. A stream that nobody reads must not fill Redis: the truth is in Postgres, for whoever asks. */
export const STATUS_JOBS_MAX = 1_000;

/**
 * Adds one job for producers to read.
 *
 * @returns false when so many wait already that this one was left out
 */
export async function addMessageStatus(
  { redis, queues, base }: { redis: Redis; queues: QueueSet; base: string },
  events: MessageStatusPayload['events'],
  jobsMax: number,
): Promise<boolean> {
  const [state] = await inspectQueues(redis, base, [QUEUES.messageStatus]);
  if (state !== undefined && state.waiting + state.active + state.delayed >= jobsMax) return false;
  const payload: MessageStatusPayload = { v: 1, events };
  await queues.get(QUEUES.messageStatus).add(QUEUES.messageStatus, payload, HANDED_OVER_RETRIES);
  return true;
}
