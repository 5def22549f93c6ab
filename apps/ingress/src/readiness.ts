import type { Producers } from '@tickmark/queues';
import type { Logger, Readiness } from '@tickmark/runtime';

/**
 * A function that tells whether what we accept is kept; what may lose it in a crash is logged once. Without Redis from the start on we are not
 * ready, because then its address may be wrong. Once it was there, we stay ready without it: webhooks wait on disk.
 */
export function createReadiness({ producers, log }: { producers: Pick<Producers, 'check'>; log: Logger }): () => Promise<Readiness> {
  const warned = new Set<string>();
  let wasThere = false;
  return async () => {
    const redis = await producers.check();
    for (const warning of redis.warnings) {
      if (!warned.has(warning)) log.warn({ warning }, 'redis could lose accepted messages');
      warned.add(warning);
    }
    wasThere ||= redis.ok;
    if (redis.ok) return { ready: true, reasons: [] };
    const isSpooling = wasThere && redis.isAway;
    return {
      ready: isSpooling,
      reasons: [isSpooling ? `${redis.reason}: webhooks wait on disk, producers are told to repeat` : redis.reason],
    };
  };
}
