import type { Redis } from 'ioredis';
import { isSendQueue, type QueueName } from './names.ts';
import { pipelineValues } from './pipeline-values.ts';
import { queueKey } from './queue-set.ts';
import { NOT_UNDERSTOOD } from './run-job.ts';

export interface QueueState {
  queue: QueueName;
  /** Jobs that could run now; those with a priority included. */
  waiting: number;
  active: number;
  delayed: number;
  /** Age of the oldest job that waits, in milliseconds; 0 when none does. */
  oldestAgeMs: number;
}

/**
 * Counts the jobs of queues and finds the age of the oldest, in two round trips for all of them.
 *
 * Of each line only the head is looked at. A delayed job counts as waiting everywhere but in a send queue: there it was told to wait, elsewhere
 * it was put off because something is broken.
 */
export async function inspectQueues(redis: Redis, base: string, queues: readonly QueueName[]): Promise<QueueState[]> {
  const counting = redis.pipeline();
  for (const queue of queues) {
    counting.llen(queueKey(base, queue, 'wait')).zcard(queueKey(base, queue, 'prioritized'));
    counting.llen(queueKey(base, queue, 'active')).zcard(queueKey(base, queue, 'delayed'));
    counting.lindex(queueKey(base, queue, 'wait'), -1).zrange(queueKey(base, queue, 'prioritized'), '0', '0');
    counting.zrange(queueKey(base, queue, 'delayed'), '0', '0');
  }
  const answers = chunk(pipelineValues(await counting.exec()), 7);
  const heads = answers.map(([, , , , wait, prioritized, delayed], index): string[] => {
    const ids = [wait, ...(prioritized as string[])];
    const queue = queues[index];
    if (queue !== undefined && !isSendQueue(queue)) ids.push(...(delayed as string[]));
    return ids.filter((id): id is string => typeof id === 'string');
  });

  const dating = redis.pipeline();
  queues.forEach((queue, index) => heads[index]?.forEach((id) => dating.hget(queueKey(base, queue, id), 'timestamp')));
  const times = pipelineValues(await dating.exec());
  const nowMs = Date.now();
  return queues.map((queue, index) => {
    const [wait, prioritized, active, delayed] = (answers[index] ?? []) as number[];
    const ages = times.splice(0, heads[index]?.length ?? 0).map((time) => (time === null ? 0 : nowMs - Number(time)));
    return {
      queue,
      waiting: (wait ?? 0) + (prioritized ?? 0),
      active: active ?? 0,
      delayed: delayed ?? 0,
      oldestAgeMs: Math.max(0, ...ages),
    };
  });
}

/**
 * Whether a job that was added to a queue before a time may still wait or run. Jobs that were put off count, whenever they were added.
 *
 * @param beforeMs epoch milliseconds by the clocks of those who add
 */
export async function hasJobBefore(redis: Redis, base: string, queue: QueueName, beforeMs: number): Promise<boolean> {
  const key = (type: string) => queueKey(base, queue, type);
  // In one transaction: a job that moves from one line to another between two looks would be in none of them.
  const looking = redis.multi().lindex(key('wait'), -1).zrange(key('prioritized'), '0', '0').lrange(key('active'), 0, -1);
  const answers = pipelineValues(await looking.zcard(key('delayed')).exec());
  const [wait, prioritized, active, delayed] = answers as [string | null, string[], string[], number];
  if (delayed > 0) return true;
  const dating = redis.pipeline();
  for (const id of [wait ?? [], prioritized, active].flat()) dating.hget(key(id), 'timestamp');
  // A job that is gone by now has ended.
  return pipelineValues(await dating.exec()).some((timestamp) => timestamp !== null && Number(timestamp) <= beforeMs);
}

/** Jobs looked at in each line: the head of the line is the oldest, but for what waited on a disk before it was added. */
const LOOKED_AT = 100;

/**
 * Age in milliseconds of the oldest job that waits, was put off or runs, among the first hundred of each; 0 when there is none. By the times that
 * the jobs bear, which may be those of their contents. A job that workers do not understand waits for another release, perhaps for ever, and
 * does not count.
 */
export async function oldestUnfinishedAgeMs(redis: Redis, base: string, queue: QueueName): Promise<number> {
  const key = (type: string) => queueKey(base, queue, type);
  // In one transaction, as above.
  const looking = redis.multi().lrange(key('wait'), -LOOKED_AT, -1).lrange(key('active'), 0, LOOKED_AT);
  const lines = pipelineValues(await looking.zrange(key('delayed'), '0', String(LOOKED_AT)).exec()) as string[][];
  const dating = redis.pipeline();
  for (const id of lines.flat()) dating.hmget(key(id), 'timestamp', 'progress');
  const jobs = pipelineValues(await dating.exec()) as [string | null, string | null][];
  const times = jobs.flatMap(([time, progress]) => (time === null || progress === JSON.stringify(NOT_UNDERSTOOD) ? [] : [Number(time)]));
  return Math.max(0, ...times.map((time) => Date.now() - time));
}

function chunk<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) => items.slice(index * size, (index + 1) * size));
}
