import type { Producers } from '@tickmark/queues';
import type { Logger, Readiness } from '@tickmark/runtime';

/** A function that tells whether Redis takes what we accept; what may lose it in a crash is logged once. */
export function createReadiness({ producers, log }: { producers: Pick<Producers, 'check'>; log: Logger }): () => Promise<Readiness> {
  const warned = new Set<string>();
  return async () => {
    const redis = await producers.check();
    for (const warning of redis.warnings) {
      if (!warned.has(warning)) log.warn({ warning }, 'redis could lose accepted messages');
      warned.add(warning);
    }
    return redis.ok ? { ready: true, reasons: [] } : { ready: false, reasons: [redis.reason] };
  };
}
