/** The pace that was configured from a moment on. */
export interface PaceChange {
  atMs: number;
  mps: number;
}

export interface PaceRule {
  windowMs: number;
  /** How many times what the configured pace allows in the window may leave in it. */
  ratioMax: number;
  /** How long after a change the former pace may still hold: both are allowed then, so that the faster one counts. */
  graceMs: number;
}

export interface WorstWindow {
  /** Messages that left, over those that the pace allows. */
  ratio: number;
  count: number;
  fromMs: number;
}

/**
 * The window in which most messages left for what the pace allows, of all windows of this length: the allowance of a window is the integral
 * of the configured pace over it, so that a window across a change is judged by both paces, each for its part.
 *
 * @param timesMs when messages left, in order
 * @param changes the configured paces, in order, the first before the first message
 * @returns ratio 0 when the messages cover no whole window
 */
export function findWorstWindow(timesMs: readonly number[], changes: readonly PaceChange[], { windowMs, graceMs }: PaceRule): WorstWindow {
  const allowed = allowanceOf(changes, graceMs);
  const [firstMs = 0] = timesMs;
  const lastMs = timesMs.at(-1) ?? 0;
  let worst: WorstWindow = { ratio: 0, count: 0, fromMs: firstMs };
  // A window that holds most for its allowance begins or ends with a message, both of which belong to it.
  const starts = timesMs
    .flatMap((timeMs) => [timeMs, timeMs - windowMs])
    .filter((fromMs) => fromMs >= firstMs && fromMs + windowMs <= lastMs);
  for (const fromMs of starts) {
    const count = countUpTo(timesMs, fromMs + windowMs) - countUpTo(timesMs, fromMs - 1);
    const ratio = count / (allowed(fromMs + windowMs) - allowed(fromMs));
    if (ratio > worst.ratio) worst = { ratio, count, fromMs };
  }
  return worst;
}

/** @returns how many messages may have left up to a moment */
function allowanceOf(changes: readonly PaceChange[], graceMs: number): (untilMs: number) => number {
  const steps = changes.flatMap(({ atMs, mps }, index) => {
    const before = changes[index - 1]?.mps ?? mps;
    return before > mps ? [{ atMs: atMs + graceMs, mps }] : [{ atMs, mps }];
  });
  return (untilMs) =>
    steps.reduce((sum, { atMs, mps }, index) => {
      const endMs = Math.min(untilMs, steps[index + 1]?.atMs ?? Infinity);
      return sum + (Math.max(0, endMs - atMs) * mps) / 1000;
    }, 0);
}

/** How many times are not after this one. */
function countUpTo(timesMs: readonly number[], untilMs: number): number {
  let low = 0;
  let high = timesMs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((timesMs[middle] ?? 0) <= untilMs) low = middle + 1;
    else high = middle;
  }
  return low;
}
