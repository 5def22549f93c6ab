import { AppError } from '@tickmark/domain';
import type { Clock } from '@tickmark/runtime';
import type { AcceptorMetrics } from './accept-messages.ts';
import type { Producers } from './producers.ts';

/** What Redis alone holds may be lost with it: this bounds it to what arrives in half a minute, however long Postgres is away. */
const OLDEST_AGE_MS_MAX = 30_000;
/** The tenth that is left is for callbacks and for the jobs of workers, who empty what fills it. */
const MEMORY_SHARE_MAX = 0.9;
const READ_EVERY_MS = 1_000;
/** Older readings say nothing about now. */
const READING_AGE_MS_MAX = 5_000;
const RETRY_AFTER_SECONDS = 5;

type Reason = 'intake_age' | 'redis_memory';

const MESSAGES: Record<Reason, string> = {
  intake_age:
    'Accepted messages are not being stored at the moment, so nothing more is accepted. Send the same request again later; operators look at the worker and at PostgreSQL.',
  redis_memory:
    'Redis is nearly full, so nothing more is accepted than callbacks. Send the same request again later; operators look at the queues that have grown, and at maxmemory.',
};

export interface IntakeAdmissionDeps {
  producers: Pick<Producers, 'oldestIntakeAgeMs' | 'memoryShare'>;
  metrics: Pick<AcceptorMetrics, 'requestsShed'>;
  clock: Clock;
  oldestAgeMsMax?: number;
}

/**
 * A guard that throws QUEUE_UNAVAILABLE while the oldest intake job has waited for more than 30 s (no worker runs, or none can write), or while
 * Redis uses more than nine tenths of its memory. For whoever can repeat: callbacks are not asked.
 *
 * It judges by the last reading and never waits for one; each call takes care that the next reading is under way. What it cannot read
 * it lets pass: the queue itself will tell.
 */
export function createIntakeAdmission(deps: IntakeAdmissionDeps): () => void {
  const { producers, metrics, clock, oldestAgeMsMax = OLDEST_AGE_MS_MAX } = deps;
  let reading: { reason: Reason | null; atMs: number } = { reason: null, atMs: -Infinity };
  let askedAtMs = -Infinity;

  const judge = async (): Promise<Reason | null> => {
    const [ageMs, memoryShare] = await Promise.all([producers.oldestIntakeAgeMs(), producers.memoryShare()]);
    if (ageMs > oldestAgeMsMax) return 'intake_age';
    return memoryShare !== null && memoryShare > MEMORY_SHARE_MAX ? 'redis_memory' : null;
  };
  const read = async (nowMs: number): Promise<void> => {
    // Redis is away: adding to the queue says so to the caller.
    reading = { reason: await judge().catch(() => null), atMs: nowMs };
  };

  return function refuseWhenFull(): void {
    const nowMs = clock.monotonicMs();
    if (nowMs - askedAtMs >= READ_EVERY_MS) {
      askedAtMs = nowMs;
      void read(nowMs);
    }
    const { reason, atMs } = reading;
    if (reason === null || nowMs - atMs > READING_AGE_MS_MAX) return;
    metrics.requestsShed.inc({ shed: 'first', reason });
    throw new AppError('QUEUE_UNAVAILABLE', MESSAGES[reason], { retryAfterSeconds: RETRY_AFTER_SECONDS });
  };
}
