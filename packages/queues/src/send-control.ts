import type { Logger } from '@tickmark/runtime';
import { createFailureShares, type FailureShares } from './failure-shares.ts';
import { DEFAULT_QUEUE_BASE } from './names.ts';
import { openProducerConnection } from './producer-connection.ts';
import { createSenderPace, type SenderPace } from './sender-pace.ts';
import { createSharedConcurrency, type SharedConcurrency } from './shared-concurrency.ts';

/** Nothing of this is worth waiting for: what was known last holds meanwhile. */
const DEADLINE_MS = 1_000;

export interface SendControlOptions {
  redisUrl: string;
  /** `QUEUE_PREFIX`. */
  base?: string;
  /** Create calls that this process has in flight at most. */
  concurrencyMax: number;
  log: Logger;
}

/**
 * What the processes that send agree on through Redis. Each call settles within a second: rejected = it may or may not have happened, and may
 * be repeated.
 */
export interface SendControl {
  pace: SenderPace;
  concurrency: SharedConcurrency;
  failures: FailureShares;
  /** Takes this process out of the sharing. Never hangs and never rejects; safe to repeat. */
  close(): Promise<void>;
}

export function openSendControl(options: SendControlOptions): SendControl {
  const { base = DEFAULT_QUEUE_BASE, concurrencyMax } = options;
  const connection = openProducerConnection({ ...options, deadlineMs: DEADLINE_MS });
  const concurrency = createSharedConcurrency(connection, base, concurrencyMax);
  return {
    pace: createSenderPace(connection, base),
    concurrency,
    failures: createFailureShares(connection, base),
    close: async () => {
      // Without Redis the others find out by the missing heartbeat.
      await concurrency.leave().catch(() => undefined);
      await connection.close();
    },
  };
}
