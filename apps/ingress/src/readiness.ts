import type { Producers } from '@tickmark/queues';
import type { Logger, Readiness, Spool } from '@tickmark/runtime';

export interface ReadinessDeps {
  producers: Pick<Producers, 'check'>;
  spool: Pick<Spool<string>, 'problem'>;
  log: Logger;
}

/**
 * A function that tells whether what we accept is kept; what may lose it in a crash is logged once. Without Redis we are ready as long as the
 * disk takes webhooks; producers are told to repeat.
 */
export function createReadiness({ producers, spool, log }: ReadinessDeps): () => Promise<Readiness> {
  const warned = new Set<string>();
  return async () => {
    const redis = await producers.check();
    for (const warning of redis.warnings) {
      if (!warned.has(warning)) log.warn({ warning }, 'redis could lose accepted messages');
      warned.add(warning);
    }
    if (redis.ok) return { ready: true, reasons: [] };
    const problem = spool.problem();
    if (!redis.isAway || problem !== null) return { ready: false, reasons: [redis.reason, ...(problem === null ? [] : [problem])] };
    return { ready: true, reasons: [`${redis.reason}: webhooks wait on disk, producers are told to repeat`] };
  };
}
