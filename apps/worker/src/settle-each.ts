import { classifyDatabaseError } from '@tickmark/delivery';
import type { Settled } from '@tickmark/runtime';

/**
 * Waits for every item of a batch and tells each one's own result.
 *
 * @throws the first error that means the store is away: then the whole batch is to be repeated, which its statements allow.
 */
export async function settleEach<R>(promises: readonly Promise<R>[]): Promise<Settled<R>[]> {
  const results = await Promise.allSettled(promises);
  return results.map((result): Settled<R> => {
    if (result.status === 'fulfilled') return { ok: true, value: result.value };
    if (classifyDatabaseError(result.reason) !== 'data') throw result.reason;
    return { ok: false, error: result.reason };
  });
}
