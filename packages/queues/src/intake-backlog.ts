import { AppError } from '@tickmark/domain';
import type { Clock } from '@tickmark/runtime';
import type { Producers } from './producers.ts';

/** What Redis alone holds may be lost with it: this bounds it to what arrives in half a minute, however long Postgres is away. */
const OLDEST_AGE_MS_MAX = 30_000;
const READ_EVERY_MS = 1_000;
/** Older readings say nothing about now. */
const READING_AGE_MS_MAX = 5_000;
const RETRY_AFTER_SECONDS = 5;

/**
 * A guard that throws QUEUE_UNAVAILABLE while the oldest intake job has waited for more than 30 s: no worker runs, or none can write.
 *
 * It judges by the last reading and never waits for one; each call takes care that the next reading is under way. What it cannot read
 * it lets pass: the queue itself will tell.
 */
export function createIntakeBacklogGuard(deps: { producers: Pick<Producers, 'oldestIntakeAgeMs'>; clock: Clock; oldestAgeMsMax?: number }) {
  const { producers, clock, oldestAgeMsMax = OLDEST_AGE_MS_MAX } = deps;
  let reading = { ageMs: 0, atMs: -Infinity };
  let askedAtMs = -Infinity;

  const read = async (nowMs: number): Promise<void> => {
    try {
      reading = { ageMs: await producers.oldestIntakeAgeMs(), atMs: nowMs };
    } catch {
      // Redis is away: adding to the queue says so to the caller.
      reading = { ageMs: 0, atMs: nowMs };
    }
  };

  return function refuseWhenBehind(): void {
    const nowMs = clock.monotonicMs();
    if (nowMs - askedAtMs >= READ_EVERY_MS) {
      askedAtMs = nowMs;
      void read(nowMs);
    }
    if (reading.ageMs <= oldestAgeMsMax || nowMs - reading.atMs > READING_AGE_MS_MAX) return;
    throw new AppError(
      'QUEUE_UNAVAILABLE',
      'Accepted messages are not being stored at the moment, so nothing more is accepted. Send the same request again later; operators look at the worker and at PostgreSQL.',
      { retryAfterSeconds: RETRY_AFTER_SECONDS },
    );
  };
}
