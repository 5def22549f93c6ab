import type { Job } from 'bullmq';
import { QUEUES, type QueueName } from './names.ts';
import type { ProducerConnection } from './producer-connection.ts';
import type { QueueSet } from './queue-set.ts';
import { findInKeys } from './search-keys.ts';

const KEYS_PER_ROUND = 500;

/** Nobody waits for it, and what a busy Redis answers late is asked for in vain. */
const DEADLINE_MS = 10_000;

/** Queues for consumers outside of this system: no row is told what waits in them, so texts about others are blotted out where they are. */
const OUTGOING: readonly QueueName[] = [QUEUES.inboundMessage, QUEUES.messageStatus];

/** What was found of a text in all keys of this installation. */
export interface QueuesErased {
  /** Keys that were read. */
  keys: number;
  /** Keys in which it occurs. */
  found: number;
  /** Jobs that are run at the moment or quote it in an item of somebody else, and what else cannot be taken out: look again later. */
  left: number;
}

interface EraseDeps {
  connection: ProducerConnection;
  queues: QueueSet;
  base: string;
}

export interface EraseOptions {
  dryRun: boolean;
  signal?: AbortSignal;
}

/**
 * Looks for a person's address in every key, name and value. Unless it only looks, items from or to the person are taken out of the jobs that
 * wait. An item of somebody else that quotes the address is never dropped: it stays until a worker has made a row of it, and in queues for
 * consumers the address is blotted out. Safe to repeat.
 */
export async function eraseFromQueues(
  { connection, queues, base }: EraseDeps,
  pattern: RegExp,
  { dryRun, signal }: EraseOptions,
): Promise<QueuesErased> {
  const { redis } = connection;
  const run = <T>(work: () => Promise<T>) => connection.run(work, DEADLINE_MS);
  const result = { keys: 0, found: 0, left: 0 };
  let cursor = '0';
  do {
    signal?.throwIfAborted();
    const from = cursor;
    const [next, names] = await run(() => redis.scan(from, 'MATCH', `*${base}:*`, 'COUNT', KEYS_PER_ROUND));
    cursor = next;
    const own = names.filter((name) => name.startsWith(`${base}:`) || name.startsWith(`{${base}:`));
    result.keys += own.length;
    for (const name of await findInKeys({ redis, run }, own, pattern)) {
      signal?.throwIfAborted();
      result.found += 1;
      if (!dryRun && !(await run(() => eraseFromJob(queues, base, { name, pattern })))) result.left += 1;
    }
  } while (cursor !== '0');
  return result;
}

/** @returns false when the address is still there */
async function eraseFromJob(queues: QueueSet, base: string, { name, pattern }: { name: string; pattern: RegExp }): Promise<boolean> {
  const [, queueName = '', jobId = ''] = name.startsWith(`{${base}:`) ? (/^\{.*?:([a-z0-9-]+)\}:\1:(.+)$/.exec(name) ?? []) : [];
  if (jobId === '') return false;
  const queue = queues.get(queueName as QueueName);
  const job = (await queue.getJob(jobId)) as Job<Record<string, unknown>> | undefined;
  if (job === undefined) return true;
  if (await job.isActive()) return false;
  const rest = withoutOwn(job.data, pattern);
  const isOutgoing = OUTGOING.includes(queueName as QueueName);
  if (rest === job.data) {
    if (isOutgoing) await job.updateData(blotted(rest, pattern));
    return isOutgoing;
  }
  if (rest !== null) {
    const { priority } = job.opts;
    const jobOptions = { jobId: `${jobId}-erased`, timestamp: job.timestamp, ...(priority ? { priority } : {}) };
    await queue.add(queueName, rest, jobOptions);
  }
  try {
    await job.remove();
    return rest === null || !pattern.test(JSON.stringify(rest));
  } catch {
    // A worker has taken it in this moment.
    return false;
  }
}

/** @returns what is left of a payload: itself when nothing in it is from or to the person; null when all of it is */
function withoutOwn(payload: Record<string, unknown>, pattern: RegExp): Record<string, unknown> | null {
  if (isOwn(payload['message'], pattern)) return null;
  for (const key of ['messages', 'events']) {
    const items = payload[key];
    if (!Array.isArray(items)) continue;
    const kept: unknown[] = items.filter((item) => !isOwn(item, pattern));
    if (kept.length === items.length) return payload;
    return kept.length === 0 ? null : { ...payload, [key]: kept };
  }
  return payload;
}

function isOwn(item: unknown, pattern: RegExp): boolean {
  if (typeof item !== 'object' || item === null) return false;
  const { recipient, from, to } = item as Record<string, unknown>;
  return [recipient, from, to].some((address) => typeof address === 'string' && pattern.test(address));
}

/** The pattern holds nothing that JSON escapes, so what stands within strings stays JSON. */
function blotted(payload: Record<string, unknown>, pattern: RegExp): Record<string, unknown> {
  return JSON.parse(JSON.stringify(payload).replaceAll(new RegExp(pattern, 'g'), '0')) as Record<string, unknown>;
}
