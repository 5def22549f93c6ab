import type { Producers, RedisCheck } from '@tickmark/queues';
import { withDeadline, type Logger, type Readiness, type Spool } from '@tickmark/runtime';

/** Sooner than whoever asks for the readiness gives up. */
const CHECK_MS = 500;
const SILENT: RedisCheck = { ok: false, isAway: true, warnings: [], reason: 'redis does not answer' };

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
    const redis = await withDeadline(producers.check(), CHECK_MS).catch(() => SILENT);
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
