import { AppError, type CancelResult } from '@tickmark/domain';
import { z } from 'zod';
import { QueueTimeoutError, QueueUnavailableError } from './errors.ts';
import type { Producers } from './producers.ts';

const RETRY_AFTER_SECONDS = 2;

const messageIdSchema = z.uuid();

/**
 * Asks for a message of a producer to be canceled, and waits for the answer, `waitMs` at most.
 *
 * @returns `cancel_requested` when no worker answered in time: the request is kept and will be carried out
 * @throws AppError QUEUE_UNAVAILABLE when the request may not have been kept; canceling twice changes nothing
 */
export async function cancelMessage(
  producers: Pick<Producers, 'requestCancel'>,
  { id, producer }: { id: string; producer: string },
  waitMs: number,
): Promise<CancelResult | 'cancel_requested'> {
  if (!messageIdSchema.safeParse(id).success) return 'not_found';
  try {
    return (await producers.requestCancel({ id, producer }, waitMs)) ?? 'cancel_requested';
  } catch (error) {
    if (!(error instanceof QueueUnavailableError || error instanceof QueueTimeoutError)) throw error;
    throw new AppError('QUEUE_UNAVAILABLE', 'The queue did not confirm in time. Ask again: canceling twice changes nothing.', {
      cause: error,
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
  }
}
