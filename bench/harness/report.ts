import type { Candidate } from './candidate.ts';
import type { Spread } from './statistics.ts';

export type Verdict = 'met' | 'missed';

export interface Comparison {
  measure: string;
  /** Name of the candidate that ours is compared with. */
  against: string;
  better: 'higher' | 'lower';
  goal: number;
  ratio: Spread;
  verdict: Verdict;
}

/** What one candidate reached in one measure, over all rounds. */
export interface Reached extends Pick<Candidate, 'name' | 'title'>, Partial<Pick<Candidate, 'durability' | 'tuning'>> {
  measure: string;
  /** By name, for instance `callbacksPerSecond`. */
  figures: Record<string, Spread>;
  /** Everything that must be nought, summed over the rounds, and what it was counted over. */
  gate: Record<string, number>;
  passed: boolean;
}

export interface GroupReport {
  group: string;
  reached: Reached[];
  comparisons: Comparison[];
  /** Counts by candidate of what a kill -9 cost. */
  kills: { name: string; answered: number; lost: number; passed: boolean }[];
  /** No candidate failed its gate, and ours lost nothing. */
  correct: boolean;
}

export interface BenchReport {
  quick: boolean;
  rounds: number;
  machine: Record<string, string | number>;
  groups: GroupReport[];
  correct: boolean;
}

export function printReport(report: BenchReport, print: (line: string) => void): void {
  print(
    Object.entries(report.machine)
      .map(([name, value]) => `${name} ${value}`)
      .join(' · '),
  );
  print(
    `${report.rounds} interleaved ${report.rounds === 1 ? 'round' : 'rounds'}: median (least–most)${report.quick ? '; too short to judge by' : ''}`,
  );
  for (const group of report.groups) {
    for (const measure of new Set(group.reached.map((entry) => entry.measure))) printMeasure(group, measure, print);
    if (group.kills.length > 0) print('\nkill -9 of every process in mid-load, started again: answered with a 2xx and lost');
    for (const { name, answered, lost } of group.kills) print(`  ${name.padEnd(20)} ${lost} of ${answered}`);
  }
  print(report.correct ? '\nevery gate passed' : '\nA GATE FAILED: the figures say nothing');
}

function printMeasure({ reached, comparisons }: GroupReport, measure: string, print: (line: string) => void): void {
  print(`\n${measure}`);
  for (const entry of reached.filter((each) => each.measure === measure)) {
    const figures = Object.entries(entry.figures).map(([name, spread]) => `${words(name)} ${showSpread(spread)}`);
    const gate = Object.entries(entry.gate).map(([name, count]) => `${count} ${name}`);
    print(`  ${entry.title}`);
    print(`      ${figures.join(' · ')}`);
    const durability = entry.durability === undefined ? [] : [`durable before the answer: ${entry.durability}`];
    print(`      ${[...durability, gate.join(', '), ...(entry.passed ? [] : ['GATE FAILED'])].join(' · ')}`);
    if (entry.tuning !== undefined) print(`      tuning: ${entry.tuning}`);
  }
  for (const { against, better, goal, ratio, verdict, ...rest } of comparisons.filter((each) => each.measure.startsWith(measure))) {
    const sign = better === 'higher' ? '≥' : '≤';
    const what = rest.measure.slice(measure.length).replace(/^: /, '');
    print(`  ${verdict.padEnd(6)} ${what} ÷ ${against}: ${showSpread(ratio)}, goal ${sign} ${goal}`);
  }
}

function words(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function showSpread({ median, min, max }: Spread): string {
  return min === max ? show(median) : `${show(median)} (${show(min)}–${show(max)})`;
}

function show(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en');
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}
