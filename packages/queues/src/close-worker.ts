import { withDeadline } from '@tickmark/runtime';
import type { Worker } from 'bullmq';
import { setTimeout as delay } from 'node:timers/promises';
import type { WorkerConnections } from './worker-connections.ts';

const POLL_MS = 20;

/**
 * Closes a Worker within the deadline, whatever Redis does: BullMQ's own `close` waits for running jobs and for Redis, without limit.
 *
 * Without Redis it waits for the running jobs alone, because the rows that they write matter more than the queue's book-keeping.
 *
 * @returns true when BullMQ closed by itself, or had nothing to close
 */
export async function closeWorker(
  worker: Worker,
  connections: WorkerConnections,
  options: { deadlineMs: number; isRunning: () => boolean },
): Promise<boolean> {
  const { isRunning } = options;
  const idle = !isRunning();
  const stop = new AbortController();
  const hasNothingToWaitFor = async () => {
    while (connections.main.status === 'ready' || isRunning()) await delay(POLL_MS, undefined, { signal: stop.signal });
    return idle;
  };
  const closing = worker.close().then(() => true);
  try {
    return await withDeadline(Promise.race([closing, hasNothingToWaitFor()]), options.deadlineMs);
  } catch {
    // The deadline: what still runs is found stalled and runs again elsewhere.
    return false;
  } finally {
    stop.abort();
    connections.disconnect();
  }
}
