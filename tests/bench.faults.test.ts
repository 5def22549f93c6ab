// The promise: `npm run bench` measures nothing that is wrong. Speed is not judged here: a test machine says nothing about it.
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import type { BenchReport } from '../bench/harness/report.ts';

const MAIN = fileURLToPath(new URL('../bench/main.ts', import.meta.url));
const CANDIDATES = [
  ['tickmark', 'bare-fastify', 'nothing-stored', 'job-per-callback'],
  [
    'tickmark',
    'update-per-callback',
    'job-and-transaction',
    'pg-boss',
    'pg-boss-grouped',
    'graphile-worker',
    'graphile-worker-grouped',
    'memory-batch',
  ],
].flat();

const SCALE_ROWS = [
  ['whatsapp_messages', 'message_status_logs'],
  ['by-id', 'by-sid', 'by-recipient', 'by-campaign', 'failed', 'phone', 'platform-day', 'platform-month', 'receipts'],
  ['loaded', 'empty'],
  ['cleaning', 'quiet'],
].flat();

async function runBench(...args: string[]): Promise<{ code: number | null; out: string; progress: string }> {
  const bench = spawn(process.execPath, ['--conditions=@tickmark/source', '--import', 'tsx', MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = new Promise<number | null>((resolve) => bench.once('exit', resolve));
  const [out, progress, code] = await Promise.all([text(bench.stdout), text(bench.stderr), exited]);
  return { code, out, progress };
}

it('a quick bench of the callbacks passes every gate, loses nothing to kill -9, and says what it measured', async () => {
  const quick = () => runBench('--quick', '--rows', 'callbacks', '--json');
  let { code, out, progress } = await quick();
  // A run that broke off has judged nothing, and is shown and made once more. What a whole run judged wrong stays wrong.
  if (code !== 0 && out === '') {
    console.log(progress);
    ({ code, out, progress } = await quick());
  }
  // The progress is shown only when it failed.
  expect(code === 0 ? '' : progress).toBe('');

  const report = JSON.parse(out) as BenchReport;
  expect(report).toMatchObject({ quick: true, correct: true, machine: { postgresFsync: 'on', redisAppendFsync: 'always' } });
  const [group] = report.groups;
  expect(group?.reached.map(({ name }) => name)).toEqual(CANDIDATES);
  for (const { gate, figures, durability, tuning } of group?.reached ?? []) {
    expect(gate).toEqual({ answered: expect.any(Number), refused: 0, missing: 0, regressed: 0, duplicate: 0 });
    expect(gate['answered']).toBeGreaterThan(0);
    expect(figures['callbacksPerSecond']?.median).toBeGreaterThan(0);
    expect([durability, tuning]).not.toContain('');
  }
  expect(group?.comparisons.map(({ against, goal }) => `${against} ${goal}`)).toEqual([
    'nothing-stored 0.9',
    'job-per-callback 3',
    'update-per-callback 3',
    'update-per-callback 0.33',
    'job-and-transaction 4',
    'job-and-transaction 0.15',
    'pg-boss 6',
    'graphile-worker 6',
    'memory-batch 1',
  ]);
  expect(group?.kills.find(({ name }) => name === 'tickmark')).toMatchObject({ answered: expect.any(Number), lost: 0 });
}, 600_000);

it('a quick bench of the size of the tables answers every question right and loses no status', async () => {
  const { code, out, progress } = await runBench('--quick', '--rows', 'scale', '--json');
  expect(code === 0 ? '' : progress).toBe('');
  const [group] = (JSON.parse(out) as BenchReport).groups;
  expect(group?.reached.map(({ name }) => name)).toEqual(SCALE_ROWS);
  for (const { name, gate, figures } of group?.reached ?? []) {
    const { rows = 0, asked = 0, applied = 0, ...faults } = gate;
    expect({ name, faults }).toEqual({ name, faults: Object.fromEntries(Object.keys(faults).map((fault) => [fault, 0])) });
    expect(rows + asked + applied).toBeGreaterThan(0);
    expect(Object.values(figures).every(({ median }) => median > 0)).toBe(true);
  }
  expect(group?.comparisons.map(({ against, goal }) => `${against} ${goal}`)).toEqual(['empty 0.9', 'empty 1.1', 'quiet 0.8']);
}, 300_000);

it('rows that there are none of are refused with those that there are', async () => {
  expect(await runBench('--rows', 'nonsense')).toMatchObject({ code: 1, progress: expect.stringContaining('callbacks') });
}, 60_000);
