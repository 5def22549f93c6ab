import { parseArgs } from 'node:util';

/** How long a run may take: seconds for a smoke test, minutes for figures that mean something. */
export interface Effort {
  /** How often everything is measured. Each round measures all candidates one after the other, so that a noisy minute meets them all. */
  rounds: number;
  /** Counted, not timed: what is not compiled yet on a busy machine would be measured cold. Its time is bounded nevertheless. */
  warmUpCount: number;
  warmUpMsMax: number;
  loadMs: number;
  /** How many things the load is about. It is never sent twice: when all is sent, the load ends early. */
  messages: number;
}

export interface BenchOptions {
  effort: Effort;
  quick: boolean;
  json: boolean;
  groups: string[];
}

const FULL: Effort = { rounds: 5, warmUpCount: 15_000, warmUpMsMax: 10_000, loadMs: 4_000, messages: 36_000 };
const QUICK: Effort = { rounds: 1, warmUpCount: 200, warmUpMsMax: 2_000, loadMs: 500, messages: 4_000 };

/** @throws Error with a sentence for whoever typed it */
export function readOptions(args: readonly string[], known: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      rows: { type: 'string', default: known.join(',') },
      rounds: { type: 'string' },
    },
  });
  const groups = values.rows.split(',').filter((name) => name !== '');
  const unknown = groups.filter((name) => !known.includes(name));
  if (unknown.length > 0 || groups.length === 0) throw new Error(`--rows takes ${known.join(', ')}`);
  const effort = values.quick ? QUICK : FULL;
  const rounds = values.rounds === undefined ? effort.rounds : Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds takes a whole number above 0');
  return { effort: { ...effort, rounds }, quick: values.quick, json: values.json, groups };
}
