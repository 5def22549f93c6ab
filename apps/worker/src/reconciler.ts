import { countUnknown, findUnknown, recordFailedLooks, withAdvisoryLock, type UnknownPair } from '@tickmark/delivery';
import type { DatabaseBreaker } from './database-breaker.ts';
import { FAILURES_MAX, PASS_MS_MAX, repeatPasses, workThrough } from './passes.ts';
import { createAbsenceProof, type AbsenceProof } from './prove-absence.ts';
import { reconcilePair, type ReconcilePairDeps } from './reconcile-pair.ts';

const INTERVAL_MS = 5_000;

/**
 * Ages of a claim at which its outcome is looked up: a minute after the call the list has it, and at five minutes an absence can be
 * proven the second time. The later ones are for those of which these two looks proved nothing.
 */
const LOOK_AGES_SECONDS = [60, 300, 1_800, 7_200];

/** Two looks that follow at once, after a pause of the search, would be one proof made twice. */
const LOOK_PAUSE_SECONDS = 60;

/** Attempts that one pass looks up. */
const PASS_ATTEMPTS_MAX = 200;

export type ReconcilerDeps = ReconcilePairDeps;

export interface ReconcilerSettings {
  /** Pairs looked up at the same time (`RECONCILE_CONCURRENCY`). */
  concurrency: number;
  intervalMs?: number | undefined;
}

/**
 * One pass over the messages whose outcome is unknown and due for a look, by one process at a time. (A callback with our id, the best proof,
 * resolves a message by itself at any time.)
 *
 * @returns how many attempts were looked up; null when another process reconciles. Safe to repeat at any time.
 */
export async function reconcileOnce(deps: ReconcilerDeps, concurrency: number, signal?: AbortSignal): Promise<number | null> {
  await measureUnknown(deps);
  const result = await withAdvisoryLock(deps.db, 'reconciler', async () => {
    const due = await findUnknown(deps.db, {
      lookAgesSeconds: LOOK_AGES_SECONDS,
      pauseSeconds: LOOK_PAUSE_SECONDS,
      limit: PASS_ATTEMPTS_MAX,
    });
    return reconcilePairs(deps, due, concurrency, signal);
  });
  if (!result.ran) return null;
  if (result.value > 0) await measureUnknown(deps);
  return result.value;
}

async function reconcilePairs(
  deps: ReconcilerDeps,
  pairs: readonly UnknownPair[],
  concurrency: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  const proveAbsence = createAbsenceProof(deps);
  let failures = 0;
  let attempts = 0;
  const endMs = deps.clock.monotonicMs() + PASS_MS_MAX;
  const isOver = () => failures >= FAILURES_MAX || signal?.aborted === true || deps.clock.monotonicMs() >= endMs;
  await workThrough(pairs, { concurrency, isOver }, async (pair) => {
    failures = (await reconcileOne(deps, pair, proveAbsence)) ? 0 : failures + 1;
    attempts += pair.attempts.length;
  });
  return attempts;
}

/** A pair that fails for any other reason (Redis is away) waits for its next look as well, or it would be asked for in every pass. */
async function reconcileOne(deps: ReconcilerDeps, pair: UnknownPair, proveAbsence: AbsenceProof): Promise<boolean> {
  try {
    return await reconcilePair(deps, pair, proveAbsence);
  } catch (error) {
    deps.log.warn({ err: error, sender: pair.sender }, 'an unknown outcome could not be looked up');
    await recordFailedLooks(deps.db, pair.attempts);
    return false;
  }
}

/** Every process shows the same: the count is the database's. */
async function measureUnknown({ db, metrics }: ReconcilerDeps): Promise<void> {
  // An old number would look like calm.
  metrics.unknownOutcomes.reset();
  const { listed, unlisted } = await countUnknown(db);
  metrics.unknownOutcomes.set({ listed: 'true' }, listed);
  metrics.unknownOutcomes.set({ listed: 'false' }, unlisted);
}

/** Looks unknown outcomes up every few seconds until closed. A pass that fails is logged, and the next one begins anew. */
export function startReconciler(
  deps: ReconcilerDeps & { breaker: Pick<DatabaseBreaker, 'report' | 'reason'> },
  { concurrency, intervalMs = INTERVAL_MS }: ReconcilerSettings,
) {
  const passes = repeatPasses((signal) => reconcileOnce(deps, concurrency, signal), {
    breaker: deps.breaker,
    intervalMs,
    failure: 'unknown outcomes could not be looked up',
  });
  return {
    /** Ends lists under way too: what they were to tell is looked up again. */
    close: (): Promise<void> => {
      const stopped = passes.stop();
      deps.lister.close();
      return stopped;
    },
  };
}
