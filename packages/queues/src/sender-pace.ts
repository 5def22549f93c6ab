import { sendQueueName } from './names.ts';
import type { ProducerConnection } from './producer-connection.ts';
import { openQueueSet } from './queue-set.ts';

/** Windows per second: short enough that a second never sees many more messages than its rate, long enough to cost nothing. */
const WINDOWS_PER_SECOND = 10;

export interface SenderPace {
  /**
   * Lets each sender's queue hand out so many messages per second, over all workers of all processes. Holds until something else is said,
   * or Redis is wiped. Safe to repeat at any time; a queue is never without a pace in between.
   */
  assert(senders: readonly { alias: string; mps: number }[]): Promise<void>;
  /** Gives each sender's queue this pace unless it has one already. */
  assertIfNone(senders: readonly { alias: string; mps: number }[]): Promise<void>;
  /** Stops the sender's queue, for all processes, for so long. It has a pace, or this has no effect. */
  rest(alias: string, ms: number): Promise<void>;
}

/**
 * BullMQ's limit: `max` jobs in the `durationMs` that begin with the first of them. A second touches eleven windows at most, so that the
 * worst second has a tenth too many; a window for a whole second would let twice the rate through around its end.
 */
export function paceWindow(mps: number): { max: number; durationMs: number } {
  const max = Math.max(1, Math.floor(mps / WINDOWS_PER_SECOND));
  // Upwards: BullMQ drops the fraction, which would make the pace faster than it may be.
  return { max, durationMs: Math.ceil((1000 * max) / mps) };
}

/** Paces the senders' queues with BullMQ's global rate limit, the only one that workers with different settings cannot disagree on. */
export function createSenderPace(connection: ProducerConnection, base: string): SenderPace {
  const queues = openQueueSet(connection.redis, base);
  const run = <T>(alias: string, work: (queue: ReturnType<typeof queues.get>) => Promise<T>) =>
    connection.run(() => work(queues.get(sendQueueName(alias))));
  const set = ({ alias, mps }: { alias: string; mps: number }) => {
    const { max, durationMs } = paceWindow(mps);
    return run(alias, (queue) => queue.setGlobalRateLimit(max, durationMs));
  };
  return {
    assert: async (senders) => {
      await Promise.all(senders.map(set));
    },
    assertIfNone: async (senders) => {
      const known = await Promise.all(senders.map(({ alias }) => run(alias, (queue) => queue.getGlobalRateLimit())));
      await Promise.all(senders.filter((_sender, index) => known[index] === null).map(set));
    },
    rest: async (alias, ms) => {
      await run(alias, (queue) => queue.rateLimit(Math.ceil(ms)));
    },
  };
}
