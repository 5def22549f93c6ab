import { AppError } from '@tickmark/domain';
import type { HttpServer } from '@tickmark/http';
import { ItemTooLargeError, type Metrics } from '@tickmark/runtime';
import type { Durable } from './commit-or-spool.ts';

/** Twilio's connection overrides repeat a 5xx at once; others that call may wait this long. */
const RETRY_AFTER_SECONDS = 1;

/** Waits until a webhook's content is durable. @throws AppError QUEUE_UNAVAILABLE when neither Redis nor the disk has it surely: a repeat changes nothing. */
export async function commitWebhook(
  { metrics }: { metrics: Pick<Metrics, 'callbacksReceived'> },
  committed: Promise<Durable>,
): Promise<void> {
  try {
    metrics.callbacksReceived.inc({ result: await committed });
  } catch (error) {
    metrics.callbacksReceived.inc({ result: 'unavailable' });
    if (error instanceof ItemTooLargeError) throw error;
    throw new AppError(
      'QUEUE_UNAVAILABLE',
      'Neither the queue nor the disk has this for certain. Send the same request again: applying it twice changes nothing.',
      {
        cause: error,
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      },
    );
  }
}

/** A body over the limit never reaches the handler. */
export function countTooLarge(server: HttpServer, metrics: Pick<Metrics, 'callbacksReceived'>): void {
  server.addHook('onError', async (_request, _reply, error) => {
    if (error.statusCode === 413) metrics.callbacksReceived.inc({ result: 'too_large' });
  });
}
