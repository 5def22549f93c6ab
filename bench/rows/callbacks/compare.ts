import type { Comparison, Verdict } from '../../harness/report.ts';
import { totalOf } from '../../harness/cpu.ts';
import { spreadOf } from '../../harness/statistics.ts';
import type { RunFigures } from './measure.ts';

/** What is compared, and how good it must be: a rate is at least so many times the rival's, a cost at most. */
export interface Goal {
  measure: string;
  against: string;
  of: (figures: RunFigures) => number;
  goal: number;
  better: 'higher' | 'lower';
}

export const rateOf = ({ rate }: RunFigures): number => rate;
export const cpuOf = ({ cpu }: RunFigures): number => totalOf(cpu);

/** Compares round by round, because both sides of a round met the same minute of the machine, and takes the middle of the ratios. */
export function compare(goal: Goal, ours: readonly RunFigures[], rival: readonly RunFigures[]): Comparison {
  const { measure, against, better } = goal;
  const ratios = ours.flatMap((figures, round) => {
    const other = rival[round];
    return other === undefined ? [] : [goal.of(figures) / goal.of(other)];
  });
  const ratio = spreadOf(ratios);
  const verdict: Verdict = (better === 'higher' ? ratio.median >= goal.goal : ratio.median <= goal.goal) ? 'met' : 'missed';
  return { measure, against, better, goal: goal.goal, ratio, verdict };
}
