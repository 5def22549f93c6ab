import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { currentTestRun } from '../fixtures/test-run.ts';
import { repositoryFolder } from '../services/repository.ts';

const CONFIG = 'packages/testing/src/vitest/planted/vitest.config.ts';

test('a run without a fault passes', async () => {
  expect(await runVitest('clean')).toMatchObject({ code: 0 });
});

test.each([
  ['a phone number in a log', 'log-leak', /LEAKED: 1 places[^]*phone in \.cache\/test-logs\/[^ ]*app\.log:1/],
  ['a token on the console', 'console-leak', /LEAKED: 1 places[^]*token in .*console\.log:\d/],
  ['a body that stays in Redis', 'redis-leak', /LEAKED: 1 places[^]*body in redis database 0, string "test-[0-9a-f]+:left"/],
  [
    'a server that is never closed',
    'open-server',
    /left something open[^]*a server on 127\.0\.0\.1:\d+, opened at .*open-server\.planted\.ts:\d+/,
  ],
  ['a connection that is never closed', 'open-connection', /left something open[^]*a connection to Redis \(127\.0\.0\.1:\d+\)/],
])('%s fails the run and is named', async (_, file, message) => {
  const { code, output } = await runVitest(file);
  expect(output).toMatch(message);
  expect(output).toContain('1 passed');
  expect(code).toBe(1);
});

test.each([
  ['Postgres', { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' }, /DATABASE_URL/],
  ['Redis', { REDIS_URL: 'redis://127.0.0.1:1' }, /REDIS_URL/],
])('a %s that does not answer fails the run and is named', async (_, env, message) => {
  const { code, output } = await runVitest('clean', env);
  expect(output).toMatch(message);
  expect(code).toBe(1);
});

async function runVitest(file: string, env: Record<string, string> = {}): Promise<{ code: number | null; output: string }> {
  const { databaseUrl, redisUrl } = currentTestRun();
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
