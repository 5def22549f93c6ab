import { Queue, QueueKeys } from 'bullmq';
import type { Redis } from 'ioredis';
import { queuePrefix, type QueueName } from './names.ts';
import { pipelineValues } from './pipeline-values.ts';

/** Nobody reads BullMQ's event streams here; this many entries (names and job ids, no payload) stay per queue. */
const EVENTS_MAX = 100;

/** The writing ends of queues, opened when first used; all over one connection. */
export interface QueueSet {
  get(name: QueueName): Queue;
}

/**
 * Opens queues over a connection that its owner closes.
 *
 * A Queue must be opened while the connection is ready: opened without Redis, its `add` waits for ever, whatever the connection's settings.
 */
export function openQueueSet(redis: Redis, base: string): QueueSet {
  const queues = new Map<QueueName, Queue>();
  return {
    get(name) {
      const known = queues.get(name);
      if (known !== undefined) return known;
      const queue = openQueue(redis, queuePrefix(base, name), name);
      queues.set(name, queue);
      return queue;
    },
  };
}

/** Opens the writing end of one queue over a connection that its owner closes. */
export function openQueue(redis: Redis, prefix: string, name: string): Queue {
  const queue = new Queue(name, {
    connection: redis,
    prefix,
    // checkRedis asks once per process; BullMQ would ask for each queue, and write to the console.
    skipVersionCheck: true,
    streams: { events: { maxLen: EVENTS_MAX } },
    // As the workers do it; said by the jobs too, wherever its cost per job does not matter (addSendJob).
    defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
  });
  // The connection's owner logs its errors; without a listener the same error would end the process.
  queue.on('error', () => undefined);
  return queue;
}

/** BullMQ keeps the bound of its event streams in Redis and writes it when a Queue is opened only: without it a stream grows to 10,000 entries. */
export async function assertEventsMax(redis: Redis, base: string, queues: readonly QueueName[]): Promise<void> {
  const pipeline = redis.pipeline();
  for (const queue of queues) pipeline.hset(queueKey(base, queue, 'meta'), 'opts.maxLenEvents', EVENTS_MAX);
  pipelineValues(await pipeline.exec());
}

/** The full name of a key of a queue: one of BullMQ's structures (`wait`, `delayed`, …) or a job by its id. */
export function queueKey(base: string, queue: QueueName, type: string): string {
  return new QueueKeys(queuePrefix(base, queue)).toKey(queue, type);
}
