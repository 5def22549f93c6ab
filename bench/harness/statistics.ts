/** The middle of several measurements, and how far they lie apart. */
export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** @param values at least one */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = (at(sorted, Math.ceil(middle) - 1) + at(sorted, Math.floor(middle))) / 2;
  return { median, min: at(sorted, 0), max: at(sorted, sorted.length - 1) };
}

function at(values: readonly number[], index: number): number {
  const value = values[index];
  if (value === undefined) throw new Error('nothing was measured');
  return value;
}
