import { classifyDatabaseError } from '@tickmark/delivery';
import { DeadlineExceededError } from '@tickmark/runtime';

/** Whether the error says that the database could not answer, or did not in time: the same may be asked again later. */
export function isDatabaseAway(error: unknown): boolean {
  return error instanceof DeadlineExceededError || classifyDatabaseError(error) === 'infrastructure';
}
