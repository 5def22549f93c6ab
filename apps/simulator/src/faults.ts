import { chanceOf, fateOf } from './fate.ts';
import { behaviourOf } from './magic-recipients.ts';
import type { FaultKind, Settings } from './settings.ts';

/** One create call, as far as faults look at it. */
export interface CreateIdentity {
  m: string | null;
  a: number | null;
  to: string;
}

export interface Faults {
  /**
   * What stands for this call in every decision by chance: `m/a` of its StatusCallback, which does not depend on the order of arrival;
   * without them the recipient and how many calls it had.
   */
  fateOf(create: CreateIdentity): number;
  /** The fault that this call meets, or null. To be asked once for each call: it counts. */
  pick(create: CreateIdentity, fate: number): FaultKind | null;
  /** Counts from the beginning again. */
  restart(): void;
}

/** Recipients and messages that are counted at most; the oldest are forgotten. */
const COUNTED_MAX = 200_000;

/**
 * Magic recipients come first, then the rules of the settings in their order; the first that fits decides. `every: n` counts calls in
 * their order of arrival, `share` goes by the call's fate.
 */
export function createFaults(settings: () => Settings): Faults {
  const callsTo = createCounter();
  const triesOf = createCounter();
  let calls = 0;
  return {
    fateOf: ({ m, a, to }) => fateOf(m === null ? `${to}#${callsTo.next(to)}` : `${m}/${a ?? ''}`),
    pick: ({ m, to }, fate) => {
      const { seed, faults } = settings();
      calls++;
      const { firstTries } = behaviourOf(to);
      if (firstTries && triesOf.next(m ?? to) <= firstTries.tries) return firstTries.kind;
      const rule = faults.find((fault, index) => {
        if (fault.to !== undefined) return fault.to === to;
        if (fault.every !== undefined) return calls % fault.every === 0;
        return chanceOf(seed, fate, `fault ${index}`) < (fault.share ?? 0);
      });
      return rule?.kind ?? null;
    },
    restart: () => {
      calls = 0;
      callsTo.clear();
      triesOf.clear();
    },
  };
}

function createCounter(): { next(key: string): number; clear(): void } {
  const counts = new Map<string, number>();
  return {
    next: (key) => {
      const count = (counts.get(key) ?? 0) + 1;
      counts.delete(key);
      counts.set(key, count);
      if (counts.size > COUNTED_MAX) counts.delete(counts.keys().next().value ?? '');
      return count;
    },
    clear: () => counts.clear(),
  };
}
