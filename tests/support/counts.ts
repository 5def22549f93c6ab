/** Set by `npm run test:faults -- --full`. */
const FULL_VARIABLE = 'TICKMARK_TEST_FULL';
const SEED_VARIABLE = 'TICKMARK_TEST_SEED';

/** The counts that the contract names take minutes: every day a reduced one, all of it when asked. */
export const isFull = process.env[FULL_VARIABLE] === '1';

export function fullOrReduced<T>(full: T, reduced: T): T {
  return isFull ? full : reduced;
}

/** What "random moments" come from: `TICKMARK_TEST_SEED` repeats a run as far as the machine does. */
export function chooseSeed(): number {
  const given = process.env[SEED_VARIABLE];
  if (given === undefined) return Math.floor(Math.random() * 2 ** 31);
  if (!/^\d{1,9}$/.test(given)) throw new Error(`${SEED_VARIABLE} is a whole number of up to nine digits`);
  return Number(given);
}

export interface SeededRandom {
  /** From 0 up to but not including 1. */
  next(): number;
  /** A whole number from `min` to `max`, both included. */
  between(min: number, max: number): number;
  shuffled<T>(items: readonly T[]): T[];
}

/** Mulberry32: the same numbers in the same order for the same seed. */
export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (min: number, max: number) => min + Math.floor(next() * (max - min + 1));
  return {
    next,
    between,
    shuffled: (items) =>
      items
        .map((item) => ({ item, order: next() }))
        .toSorted((a, b) => a.order - b.order)
        .map(({ item }) => item),
  };
}
