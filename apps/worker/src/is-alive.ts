import type { Canary, Producers } from '@tickmark/queues';

const CANARY_AGE_MS_MAX = 60_000;

/**
 * False only when Redis answers and yet this process has run no job for a minute: then it is stuck, and a restart helps. While Redis is
 * away a restart would only end the calls under way.
 */
export async function isAlive({
  canary,
  producers,
}: {
  canary: Pick<Canary, 'lastRunAgeMs'>;
  producers: Pick<Producers, 'ping'>;
}): Promise<boolean> {
  if (canary.lastRunAgeMs() < CANARY_AGE_MS_MAX) return true;
  try {
    await producers.ping();
    return false;
  } catch {
    // Redis is away: that is readiness's concern.
    return true;
  }
}
