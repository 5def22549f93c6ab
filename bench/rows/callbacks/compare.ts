import { compareRounds } from '../../harness/compare-rounds.ts';
import { totalOf } from '../../harness/cpu.ts';
import type { Comparison } from '../../harness/report.ts';
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

export function compare({ of, ...goal }: Goal, ours: readonly RunFigures[], rival: readonly RunFigures[]): Comparison {
  return compareRounds(goal, ours.map(of), rival.map(of));
}
