import { QueueUnavailableError } from '@tickmark/queues';
import { DeadlineExceededError } from '@tickmark/runtime';

/** True when what failed has certainly left nothing in Redis; false when it may still land. */
export function isCertainlyNotAdded(error: unknown): boolean {
  return error instanceof QueueUnavailableError || (error instanceof DeadlineExceededError && !error.started);
}
