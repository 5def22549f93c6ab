import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  freePort,
  randomApiKey,
  randomPhone,
  randomToken,
  testDatabase,
  testFolder,
  testRedis,
  waitFor,
  type TestDatabase,
} from '@tickmark/testing';
import { findProcessesOfRun, RUN_VARIABLE } from '../scripts/processes-of-run.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
let database: TestDatabase;
let env: Record<string, string>;

beforeAll(async () => {
  database = await testDatabase();
  const { redisUrl, base } = testRedis();
  env = {
    PATH: process.env['PATH'] ?? '',
    HOME: process.env['HOME'] ?? '',
    TWILIO_MODE: 'simulator',
    DATABASE_URL: database.url,
    REDIS_URL: redisUrl,
    QUEUE_PREFIX: base,
    PUBLIC_BASE_URL: 'http://127.0.0.1:3000',
    TWILIO_ACCOUNT_SID: `AC${randomToken()}`,
    TWILIO_API_KEY_SID: `SK${randomToken()}`,
    TWILIO_API_KEY_SECRET: randomToken(),
    TWILIO_AUTH_TOKEN: randomToken(),
    TWILIO_SENDERS: `whatsapp:${randomPhone()}=80`,
    API_KEYS: `shop:${createHash('sha256').update(randomApiKey()).digest('hex')}`,
    SPOOL_DIR: testFolder('spool'),
    INGRESS_PORT: '0',
    CONSOLE_PORT: '0',
    SIMULATOR_PORT: String(await freePort()),
  };
});
afterAll(() => database.drop());

/** Starts one process as its users do, in a process group of its own. */
function npmRun(name: string, overrides: Record<string, string> = {}) {
  const id = randomUUID();
  const npm = spawn('npm', ['run', name], {
    cwd: root,
    env: { ...env, ...overrides, [RUN_VARIABLE]: id },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [npm.stdout, npm.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exit = new Promise<number | null>((resolve) => npm.once('close', resolve));
  return { npm, exit, output: () => output, left: () => findProcessesOfRun(id) };
}

it.each(['ingress', 'worker', 'console', 'simulator'])(
  'npm run %s becomes ready by itself, and SIGTERM to its group ends all of it',
  async (name) => {
    const port = await freePort();
    const run = npmRun(name, { METRICS_PORT: String(port) });
    await waitFor(async () => (await fetch(`http://127.0.0.1:${port}/health/ready`)).ok, {
      timeoutMs: 30_000,
      message: `${name} to be ready`,
    });
    process.kill(-run.npm.pid!, 'SIGTERM');
    await run.exit;
    await waitFor(() => run.left().length === 0, { timeoutMs: 30_000, message: 'its processes to end' });
  },
);

it('npm run migrate migrates and ends, and may be repeated', async () => {
  for (let time = 0; time < 2; time++) {
    const run = npmRun('migrate');
    expect([await run.exit, run.left()]).toEqual([0, []]);
  }
});

it('a process that lacks configuration ends at once and names every key at once', async () => {
  const run = npmRun('ingress', { PUBLIC_BASE_URL: '', API_KEYS: '', REDIS_URL: '' });
  expect(await run.exit).not.toBe(0);
  for (const key of ['PUBLIC_BASE_URL', 'API_KEYS', 'REDIS_URL']) expect(run.output()).toContain(key);
});

it('a given metrics port that is taken ends the process with the reason', async () => {
  const port = new URL(env['REDIS_URL'] ?? '').port;
  const run = npmRun('simulator', { METRICS_PORT: port });
  expect(await run.exit).toBe(1);
  expect(run.output()).toMatch(new RegExp(`${port}.*(taken|in use)`, 's'));
});
