import type { Priority } from '@tickmark/domain';
import { Job, type JobsOptions, type Queue } from 'bullmq';
import type { SendPayload } from './payloads.ts';

/** BullMQ runs jobs without a priority first, and among those with one the smaller number; room is left on both sides. */
const BULK_PRIORITY = 10;

/** A message to be sent: the id of its row, and which queue and order it takes. */
export interface SendJob {
  id: string;
  /** The sender's alias. */
  sender: string;
  priority: Priority;
  /** Wait this long first; the row's `due_at` decides all the same. */
  delayMs?: number;
}

/** What makes BullMQ run transactional work before bulk work of one queue. */
export function orderOf(priority: Priority): JobsOptions {
  return priority === 'bulk' ? { priority: BULK_PRIORITY } : {};
}

/**
 * Adds one send job, in the form that costs Redis least: a backlog of a million is kept in memory.
 *
 * `queue.add` repeats the id among the job's options. That makes the options longer than 64 bytes, and a hash with such a value is a table in
 * Redis, not a list: 909 bytes per waiting job instead of 454. Hence no retention here either: the worker sets that.
 */
export async function addSendJob(queue: Queue, { id, priority, delayMs = 0 }: SendJob): Promise<void> {
  const payload: SendPayload = { v: 1, id };
  const job = new Job(queue, 'send', payload, { ...orderOf(priority), ...(delayMs > 0 ? { delay: delayMs } : {}) }, id);
  await job.addJob(await queue.getBackend().client);
}
