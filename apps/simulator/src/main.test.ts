import { randomBytes } from 'node:crypto';
import { freePort, randomToken, spawnProcess, type SpawnedProcess } from '@tickmark/testing';
import { afterEach, expect, test, vi } from 'vitest';

/** Starting a process takes a second, and many times that on a machine that is busy with other tests. */
vi.setConfig({ testTimeout: 90_000 });

const running: SpawnedProcess[] = [];
afterEach(async () => {
  for (const process of running.splice(0)) await process.kill();
});

const start = (env: Record<string, string> = {}) => {
  const process = spawnProcess({
    entry: 'apps/simulator/src/main.ts',
    env: {
      PUBLIC_BASE_URL: 'http://127.0.0.1:3000',
      TWILIO_ACCOUNT_SID: `AC${randomBytes(16).toString('hex')}`,
      TWILIO_API_KEY_SID: `SK${randomBytes(16).toString('hex')}`,
      TWILIO_API_KEY_SECRET: randomToken(),
      TWILIO_AUTH_TOKEN: randomToken(),
      TWILIO_SENDERS: 'support@whatsapp:+14155238886=80',
      METRICS_PORT: '0',
      ...env,
    },
  });
  running.push(process);
  return process;
};

test('the process is ready on its internal port, takes its settings from the environment and ends on SIGTERM', async () => {
  const [port, metricsPort] = [await freePort(), await freePort()];
  const process = start({
    SIMULATOR_PORT: String(port),
    METRICS_PORT: String(metricsPort),
    SIMULATOR_SETTINGS: '{"seed":7,"latencyMs":3}',
  });
  await process.waitForReady(`http://127.0.0.1:${metricsPort}/health/ready`);
  const settings = await fetch(`http://127.0.0.1:${port}/_sim/settings`, { headers: { connection: 'close' } });
  expect(await settings.json()).toMatchObject({ seed: 7, latencyMs: 3 });
  const metrics = await fetch(`http://127.0.0.1:${metricsPort}/metrics`, { headers: { connection: 'close' } });
  expect(await metrics.text()).toContain('process_cpu_user_seconds_total');
  expect(await process.kill()).toEqual({ code: 0, signal: null });
});

test('a port that is taken ends the process with the reason', async () => {
  const [port, metricsPort] = [await freePort(), await freePort()];
  await start({ SIMULATOR_PORT: String(port), METRICS_PORT: String(metricsPort) }).waitForReady(
    `http://127.0.0.1:${metricsPort}/health/ready`,
  );
  const second = start({ SIMULATOR_PORT: String(port) });
  expect((await second.exited).code).toBe(1);
  expect(second.output()).toContain(`SIMULATOR_PORT ${port} is taken on 127.0.0.1`);
});

test('settings that cannot be read end the process with every problem', async () => {
  const process = start({ SIMULATOR_SETTINGS: '{"seed":"seven","latency":1}', SIMULATOR_PORT: '0' });
  expect((await process.exited).code).toBe(1);
  expect(process.output()).toMatch(/SIMULATOR_SETTINGS .*seed: /);
  expect(process.output()).toMatch(/latency/);
});
