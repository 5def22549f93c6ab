import type { Comparison, Verdict } from './report.ts';
import { spreadOf } from './statistics.ts';

/** Compares round by round, because both sides of a round met the same minute of the machine, and takes the middle of the ratios. */
export function compareRounds(
  { measure, against, better, goal }: Omit<Comparison, 'ratio' | 'verdict'>,
  ours: readonly number[],
  rival: readonly number[],
): Comparison {
  const ratio = spreadOf(
    ours.flatMap((figure, round) => {
      const other = rival[round];
      return other === undefined ? [] : [figure / other];
    }),
  );
  const verdict: Verdict = (better === 'higher' ? ratio.median >= goal : ratio.median <= goal) ? 'met' : 'missed';
  return { measure, against, better, goal, ratio, verdict };
}
