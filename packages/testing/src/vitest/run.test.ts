import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { repositoryFolder } from '../services/repository.ts';
import { startServices, type Services } from '../services/start-services.ts';

const CONFIG = 'packages/testing/src/vitest/planted/vitest.config.ts';

// Each test is a whole run with a start and a tear-down of its own.
vi.setConfig({ testTimeout: 120_000 });

// For all of them together, and not the outer run's: what is planted here stays in them.
let services: Services;
beforeAll(async () => {
  services = await startServices();
});
afterAll(() => services.stop());

test('a run without a fault passes', async () => {
  expect(await runVitest('clean')).toMatchObject({ code: 0 });
});

test('phone numbers, bodies and tokens that are left in a log, on the console or in Redis fail the run and are named', async () => {
  const { code, output } = await runVitest('leak-');
  expect(output).toContain('3 passed');
  expect(output).toContain('LEAKED: 3 places');
  expect(output).toMatch(/phone in \.cache\/test-logs\/[^ ]*app\.log:1/);
  expect(output).toMatch(/token in \.cache\/test-logs\/[^ ]*console\.log:1/);
  expect(output).toMatch(/body in redis database 0, string "test-[0-9a-f]+:left"/);
  expect(code).toBe(1);
});

test('a file that leaves a server or a connection open fails, and what is open is named', async () => {
  const { code, output } = await runVitest('left-open-');
  expect(output).toContain('2 passed');
  expect(output).toMatch(/left something open[^]*a server on 127\.0\.0\.1:\d+, opened at .*left-open-server\.planted\.ts:\d+/);
  expect(output).toMatch(/left something open[^]*a connection to Redis \(127\.0\.0\.1:\d+\)/);
  expect(code).toBe(1);
});

test('a server that does not answer fails the run, no test is skipped', async () => {
  const { code, output } = await runVitest('clean', { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' });
  expect(output).toContain('the tests cannot run: PostgreSQL does not answer; correct DATABASE_URL or remove it');
  expect(output).not.toContain('passed');
  expect(code).toBe(1);
});

async function runVitest(file: string, env: Record<string, string> = {}): Promise<{ code: number | null; output: string }> {
  const { databaseUrl, redisUrl } = services;
  const child = spawn(process.execPath, [join(repositoryFolder, 'node_modules/vitest/vitest.mjs'), 'run', '--config', CONFIG, file], {
    cwd: repositoryFolder,
    env: { PATH: process.env['PATH'], NO_COLOR: '1', DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output };
}
