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
  /** How many messages the tables hold, with three log rows each, when their size is what is measured. */
  tableMessages: number;
}

export interface BenchOptions {
  effort: Effort;
  quick: boolean;
  json: boolean;
  groups: string[];
  /** Where the servers keep what is loaded, for a later run; null = removed at the end. */
  dataDir: string | null;
}

const FULL: Effort = { rounds: 5, warmUpCount: 15_000, warmUpMsMax: 10_000, loadMs: 4_000, messages: 36_000, tableMessages: 200_000 };
const QUICK: Effort = { rounds: 1, warmUpCount: 200, warmUpMsMax: 2_000, loadMs: 500, messages: 4_000, tableMessages: 6_000 };

/** Fewer have no recipient with several messages, and no hour with some. */
const TABLE_MESSAGES_MIN = 5_000;

/** @throws Error with a sentence for whoever typed it */
export function readOptions(args: readonly string[], known: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      rows: { type: 'string', default: known.join(',') },
      rounds: { type: 'string' },
      messages: { type: 'string' },
      data: { type: 'string' },
    },
  });
  const groups = values.rows.split(',').filter((name) => name !== '');
  const unknown = groups.filter((name) => !known.includes(name));
  if (unknown.length > 0 || groups.length === 0) throw new Error(`--rows takes ${known.join(', ')}`);
  const effort = values.quick ? QUICK : FULL;
  const rounds = readCount('--rounds', values.rounds, 1, effort.rounds);
  const tableMessages = readCount('--messages', values.messages, TABLE_MESSAGES_MIN, effort.tableMessages);
  const dataDir = values.data ?? null;
  // What others have loaded lies in the same server: the groups that copy databases are measured without it.
  if (dataDir !== null && groups.join() !== 'scale') throw new Error('--data is for --rows scale alone');
  return { effort: { ...effort, rounds, tableMessages }, quick: values.quick, json: values.json, groups, dataDir };
}

function readCount(name: string, value: string | undefined, least: number, otherwise: number): number {
  const count = value === undefined ? otherwise : Number(value);
  if (!Number.isInteger(count) || count < least) throw new Error(`${name} takes a whole number from ${least} on`);
  return count;
}
