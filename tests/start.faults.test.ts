import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { testDatabase, testFolder, testRedis, waitFor } from '@tickmark/testing';
import { findProcessesOfRun, RUN_VARIABLE } from '../scripts/processes-of-run.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const UP = 'Ctrl-C stops everything';

interface Run {
  npm: ChildProcess;
  id: string;
  output(): string;
  exit: Promise<number | null>;
  left(): { pid: number; command: string }[];
}

const runs: Run[] = [];

function npmStart(args: readonly string[] = [], env: Record<string, string> = {}): Run {
  const id = randomUUID();
  const clean = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', ...env, [RUN_VARIABLE]: id };
  const npm = spawn('npm', ['start', '--', '--data-dir', testFolder('start'), ...args], {
    cwd: root,
    env: clean,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [npm.stdout, npm.stderr]) stream?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exit = new Promise<number | null>((resolve) => npm.once('exit', resolve));
  const run = { npm, id, exit, output: () => output, left: () => findProcessesOfRun(id) };
  runs.push(run);
  return run;
}

afterEach(() => {
  for (const run of runs.splice(0)) {
    for (const { pid } of run.left()) process.kill(pid, 'SIGKILL');
    run.npm.stdout?.destroy();
    run.npm.stderr?.destroy();
  }
});

const isService = ({ command }: { command: string }) => /(^|\/)(postgres|redis-server|valkey-server)/.test(command);

async function untilUp(run: Run): Promise<void> {
  await waitFor(() => run.output().includes(UP), { timeoutMs: 90_000, message: 'npm start to be up' });
  expect(run.output()).toContain('500 messages, 500 as expected, 0 missing, 0 duplicated');
  expect(run.left().filter(isService).length).toBeGreaterThanOrEqual(2);
}

const untilNothingIsLeft = (run: Run) =>
  waitFor(() => run.left().length === 0, { timeoutMs: 60_000, message: 'every process to be gone', intervalMs: 200 });

it('kill -9 of npm leaves no process behind', async () => {
  const run = npmStart();
  await untilUp(run);
  run.npm.kill('SIGKILL');
  await untilNothingIsLeft(run);
});

it('kill -9 of the launcher leaves no process behind', async () => {
  const run = npmStart();
  await untilUp(run);
  const launcher = run.left().find(({ command }) => command.includes('scripts/start.ts'));
  process.kill(launcher!.pid, 'SIGKILL');
  await untilNothingIsLeft(run);
});

it('Ctrl-C stops everything, and npm start returns only then', async () => {
  const run = npmStart();
  await untilUp(run);
  process.kill(-run.npm.pid!, 'SIGINT');
  await run.exit;
  expect(run.left()).toEqual([]);
});

it('Ctrl-C in the middle of the start leaves no process behind', async () => {
  const run = npmStart();
  await waitFor(() => run.left().some(isService), { timeoutMs: 60_000 });
  process.kill(-run.npm.pid!, 'SIGINT');
  await run.exit;
  await untilNothingIsLeft(run);
});

it('with DATABASE_URL and REDIS_URL given, no service is started, and the run is judged by itself when it is repeated', async () => {
  const database = await testDatabase();
  const { redisUrl } = testRedis();
  const env = { DATABASE_URL: database.url, REDIS_URL: redisUrl };
  for (let time = 0; time < 2; time++) {
    const run = npmStart(['--once'], env);
    const seen = new Set<string>();
    const watch = setInterval(() => run.left().forEach(({ command }) => seen.add(command)), 100);
    await run.exit;
    clearInterval(watch);
    expect([await run.exit, run.output()]).toEqual([0, expect.stringMatching(/500 messages, 500 as expected, 0 missing, 0 duplicated\n$/)]);
    expect([...seen].filter((command) => isService({ command }))).toEqual([]);
    expect([...seen].filter((command) => command.includes('apps/')).length).toBeGreaterThanOrEqual(4);
    expect(run.left()).toEqual([]);
  }
  await database.drop();
});
