import { monotonicNowMs, withDeadline, type Logger } from '@tickmark/runtime';
import { ReplyError, type Redis } from 'ioredis';
import { connectProducer } from './connections.ts';
import { QueueTimeoutError, QueueUnavailableError, withoutPayload } from './errors.ts';

/** How long `close` waits for answers that are on their way. */
const QUIT_DEADLINE_MS = 500;

export interface ProducerConnection {
  redis: Redis;
  /**
   * Does one piece of work over the connection within the deadline.
   *
   * @param work is called only when Redis is reachable, and must write its commands before the event loop turns: from then on nothing is certain.
   * @param ownDeadlineMs for work that nobody waits for; default the connection's
   */
  run<T>(work: () => Promise<T>, ownDeadlineMs?: number): Promise<T>;
  close(): Promise<void>;
}

/** One fail-fast connection, whose failures say whether anything can have reached Redis. */
export function openProducerConnection(options: { redisUrl: string; log: Logger; deadlineMs: number }): ProducerConnection {
  const { deadlineMs } = options;
  const redis = connectProducer(options.redisUrl, options);
  const firstDial = waitForFirstDial(redis);
  let closed = false;

  return {
    redis,
    async run(work, ownDeadlineMs = deadlineMs) {
      const startMs = monotonicNowMs();
      // The first dial is worth waiting for (a process has just started). Later ones are not: an outage must fail at once, not slowly.
      await withDeadline(firstDial, ownDeadlineMs, unreachable);
      const leftMs = ownDeadlineMs - (monotonicNowMs() - startMs);
      if (closed || redis.status !== 'ready' || leftMs <= 0) throw unreachable();
      try {
        return await withDeadline(work(), leftMs, () => new QueueTimeoutError(`redis did not answer within ${ownDeadlineMs} ms`));
      } catch (error) {
        throw classify(error);
      }
    },
    async close() {
      closed = true;
      try {
        await withDeadline(redis.quit(), QUIT_DEADLINE_MS);
      } catch {
        // Not connected, or no answer: there is nothing to wait for.
      }
      if (redis.status !== 'end') redis.disconnect();
    },
  };
}

function waitForFirstDial(redis: Redis): Promise<void> {
  return new Promise((resolve) => {
    for (const event of ['ready', 'close', 'end'] as const) redis.once(event, () => resolve());
  });
}

function unreachable(): QueueUnavailableError {
  return new QueueUnavailableError('redis is not reachable');
}

/**
 * A reply error is Redis's own "no" (out of memory, read-only, loading): nothing was done. Everything else left us without an answer: lost
 * connections and time-outs look the same from here, whether the command was read or not.
 */
function classify(error: unknown): Error {
  if (error instanceof QueueTimeoutError) return error;
  const cause = withoutPayload(error);
  if (error instanceof ReplyError) return new QueueUnavailableError('redis refused the command', { cause });
  return new QueueTimeoutError('the connection to redis was lost before it answered', { cause });
}
