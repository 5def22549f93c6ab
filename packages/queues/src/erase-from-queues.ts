import type { Job } from 'bullmq';
import type { Redis } from 'ioredis';
import type { QueueName } from './names.ts';
import { pipelineValues } from './pipeline-values.ts';
import type { ProducerConnection } from './producer-connection.ts';
import type { QueueSet } from './queue-set.ts';

const KEYS_PER_ROUND = 500;

/** What was found of a text in all keys of this installation. */
export interface QueuesErased {
  /** Keys that were read. */
  keys: number;
  /** Keys in which it occurs. */
  found: number;
  /** Jobs that are run at the moment, and what else cannot be taken out: look again later. */
  left: number;
}

interface EraseDeps {
  connection: ProducerConnection;
  queues: QueueSet;
  base: string;
}

/**
 * Looks for a pattern in every key, name and value. Unless it only looks, it is taken out of the jobs that wait: a job of one item is removed, of a
 * batch the items in which it occurs; the others go on as a job of their own. Safe to repeat.
 */
export async function eraseFromQueues(
  { connection, queues, base }: EraseDeps,
  pattern: RegExp,
  { dryRun }: { dryRun: boolean },
): Promise<QueuesErased> {
  const { redis } = connection;
  const result = { keys: 0, found: 0, left: 0 };
  let cursor = '0';
  do {
    const from = cursor;
    const [next, names] = await connection.run(() => redis.scan(from, 'MATCH', `*${base}:*`, 'COUNT', KEYS_PER_ROUND));
    cursor = next;
    const own = names.filter((name) => name.startsWith(`${base}:`) || name.startsWith(`{${base}:`));
    const texts = await connection.run(() => readKeys(redis, own));
    result.keys += own.length;
    for (const [index, name] of own.entries()) {
      if (!pattern.test(`${name}\n${texts[index]}`)) continue;
      result.found += 1;
      if (!dryRun && !(await connection.run(() => eraseFromJob(queues, base, { name, pattern })))) result.left += 1;
    }
  } while (cursor !== '0');
  return result;
}

/** Everything that each key holds, as text. */
async function readKeys(redis: Redis, names: readonly string[]): Promise<string[]> {
  if (names.length === 0) return [];
  const asking = redis.pipeline();
  for (const name of names) asking.type(name);
  const types = pipelineValues(await asking.exec()) as string[];
  const reading = redis.pipeline();
  for (const [index, name] of names.entries()) {
    // One of a module's types, or one that vanished, has no text.
    const read = READ[types[index] ?? ''] ?? ((pipeline) => pipeline.exists(name));
    read(reading, name);
  }
  return pipelineValues(await reading.exec()).map((value) => JSON.stringify(value));
}

const READ: Record<string, (pipeline: ReturnType<Redis['pipeline']>, name: string) => unknown> = {
  string: (pipeline, name) => pipeline.get(name),
  hash: (pipeline, name) => pipeline.hgetall(name),
  list: (pipeline, name) => pipeline.lrange(name, 0, -1),
  set: (pipeline, name) => pipeline.smembers(name),
  zset: (pipeline, name) => pipeline.zrange(name, '0', '-1'),
  stream: (pipeline, name) => pipeline.xrange(name, '-', '+'),
};

/** @returns false when it is still there */
async function eraseFromJob(queues: QueueSet, base: string, { name, pattern }: { name: string; pattern: RegExp }): Promise<boolean> {
  const [, queueName = '', jobId = ''] = name.startsWith(`{${base}:`) ? (/^\{.*?:([a-z0-9-]+)\}:\1:(.+)$/.exec(name) ?? []) : [];
  if (jobId === '') return false;
  const queue = queues.get(queueName as QueueName);
  const job = (await queue.getJob(jobId)) as Job<Record<string, unknown>> | undefined;
  if (job === undefined) return true;
  if (await job.isActive()) return false;
  const rest = withoutItems(job.data, pattern);
  if (rest !== null) {
    const { priority } = job.opts;
    const jobOptions = { jobId: `${jobId}-erased`, timestamp: job.timestamp, ...(priority ? { priority } : {}) };
    await queue.add(queueName, rest, jobOptions);
  }
  try {
    await job.remove();
    return true;
  } catch {
    // A worker has taken it in this moment.
    return false;
  }
}

/** @returns what is left of a batch; null when nothing is */
function withoutItems(payload: Record<string, unknown>, pattern: RegExp): Record<string, unknown> | null {
  for (const key of ['messages', 'events']) {
    const items = payload[key];
    if (!Array.isArray(items)) continue;
    const kept = items.filter((item) => !pattern.test(JSON.stringify(item)));
    return kept.length === 0 ? null : { ...payload, [key]: kept };
  }
  return null;
}
