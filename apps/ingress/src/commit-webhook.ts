import { AppError } from '@tickmark/domain';
import type { HttpServer } from '@tickmark/http';
import { QueueTimeoutError, QueueUnavailableError } from '@tickmark/queues';
import { DeadlineExceededError, type Metrics } from '@tickmark/runtime';

/** Twilio's connection overrides repeat a 5xx at once; others that call may wait this long. */
const RETRY_AFTER_SECONDS = 1;

/** Waits until a webhook's content is durable. @throws AppError QUEUE_UNAVAILABLE when it is not, or not surely: a repeat changes nothing. */
export async function commitWebhook({ metrics }: { metrics: Pick<Metrics, 'callbacksReceived'> }, committed: Promise<void>): Promise<void> {
  try {
    await committed;
  } catch (error) {
    metrics.callbacksReceived.inc({ result: 'unavailable' });
    if (!(error instanceof QueueUnavailableError || error instanceof QueueTimeoutError || error instanceof DeadlineExceededError))
      throw error;
    throw new AppError(
      'QUEUE_UNAVAILABLE',
      'The queue did not confirm in time. Send the same request again: applying it twice changes nothing.',
      {
        cause: error,
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      },
    );
  }
  metrics.callbacksReceived.inc({ result: 'queued' });
}

/** A body over the limit never reaches the handler. */
export function countTooLarge(server: HttpServer, metrics: Pick<Metrics, 'callbacksReceived'>): void {
  server.addHook('onError', async (_request, _reply, error) => {
    if (error.statusCode === 413) metrics.callbacksReceived.inc({ result: 'too_large' });
  });
}
