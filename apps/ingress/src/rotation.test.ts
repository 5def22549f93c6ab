import { randomUUID } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createMetrics } from '@tickmark/runtime';
import { captureLogger, testFolder, testRedis, waitFor } from '@tickmark/testing';
import { signRequest } from '@tickmark/twilio';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeForm, statusCallback, statusPath } from './fixtures/ingress-harness.ts';
import { startIngressProcess, type IngressProcess } from './fixtures/ingress-process.ts';
import { readQueues } from './fixtures/read-queues.ts';

const CALLERS = 16;
/** Callbacks that come between two steps of the rotation. */
const PER_STEP = 500;

const redis = testRedis();
const folder = testFolder('tokens');
const files = { current: join(folder, 'current'), next: join(folder, 'next') };
/** No secrets: the files that hold them are searched for leaks. */
const [old, fresh] = ['1'.repeat(32), '2'.repeat(32)];
let ingress: IngressProcess;
beforeAll(async () => {
  // Between rotations both hold the same token.
  for (const file of Object.values(files)) writeFileSync(file, old);
  ingress = await startIngressProcess(redis, {
    TWILIO_AUTH_TOKEN: '',
    TWILIO_AUTH_TOKEN_FILE: files.current,
    TWILIO_AUTH_TOKEN_NEXT_FILE: files.next,
    LOG_LEVEL: 'warn',
  });
  await ingress.app.waitForReady(`${ingress.metricsUrl}/health/ready`, { timeoutMs: 60_000 });
}, 90_000);
afterAll(async () => {
  await ingress.app.kill();
  await redis.dropAll();
}, 60_000);

async function callback(token: string): Promise<number> {
  const path = statusPath();
  const params = statusCallback(ingress);
  const signature = signRequest({ token, url: ingress.publicBaseUrl + path, params });
  const headers = { 'content-type': 'application/x-www-form-urlencoded', 'x-twilio-signature': signature };
  const response = await fetch(ingress.url + path, { method: 'POST', body: encodeForm(params), headers });
  await response.arrayBuffer();
  return response.status;
}

/** Callbacks without a pause, each signed by the token that is the primary one at Twilio when it is sent. */
function startLoad(token: () => string) {
  const answers = new Map<number, number>();
  const over = new AbortController();
  const call = async (): Promise<void> => {
    while (!over.signal.aborted) {
      // oxlint-disable-next-line no-await-in-loop -- one caller sends one after the other
      const status = await callback(token());
      answers.set(status, (answers.get(status) ?? 0) + 1);
    }
  };
  const callers = Array.from({ length: CALLERS }, call);
  const total = () => [...answers.values()].reduce((sum, count) => sum + count, 0);
  return {
    answers,
    total,
    step: () => {
      const until = total() + PER_STEP;
      return waitFor(() => total() >= until, { message: 'more callbacks', timeoutMs: 60_000 });
    },
    end: async () => {
      over.abort();
      await Promise.all(callers);
    },
  };
}

/** As an orchestrator replaces a mounted secret. */
function replace(file: string, token: string): void {
  const other = join(folder, randomUUID());
  writeFileSync(other, `${token}\n`);
  renameSync(other, file);
}

it(
  'a token is replaced under load without one callback being refused, and the old one signs nothing afterwards',
  { timeout: 240_000 },
  async () => {
    const twilio = { primary: old };
    let probes = 0;
    const isTaken = async (token: string) => {
      const taken = (await callback(token)) === 204;
      if (taken) probes += 1;
      return taken;
    };
    const load = startLoad(() => twilio.primary);
    await load.step();

    expect(await callback(fresh)).toBe(403);
    replace(files.next, fresh);
    await waitFor(() => isTaken(fresh), { message: 'the new token to be known', timeoutMs: 15_000 });
    twilio.primary = fresh;
    await load.step();

    // In place and not at once: empty for a moment, as an editor may leave it.
    writeFileSync(files.current, '');
    await load.step();
    writeFileSync(files.current, fresh);
    for (let times = 0; times < 20; times += 1) {
      replace(times % 2 === 0 ? files.current : files.next, fresh);
      // oxlint-disable-next-line no-await-in-loop -- each change meets callbacks
      await waitFor(async () => (await callback(fresh)) === 204 && (probes += 1));
    }
    await waitFor(async () => !(await isTaken(old)), { message: 'the old token to be refused', timeoutMs: 15_000 });
    await load.step();
    await load.end();

    const metrics = await (await fetch(`${ingress.metricsUrl}/metrics`)).text();
    const signedBy = (result: string) => Number(new RegExp(`callback_signature_total\\{result="${result}"\\} (\\d+)`).exec(metrics)?.[1]);
    console.log(
      `rotation: ${load.total()} callbacks, by the current token ${signedBy('valid')}, by the next one ${signedBy('valid_next_token')}`,
    );
    expect([...load.answers.keys()]).toEqual([204]);
    expect(await callback(old)).toBe(403);
    expect(Math.min(signedBy('valid'), signedBy('valid_next_token'))).toBeGreaterThan(PER_STEP);
    expect(signedBy('valid') + signedBy('valid_next_token')).toBe(load.total() + probes);
    const { events } = await readQueues({ ...redis, log: captureLogger().log, metrics: createMetrics({ process: 'ingress' }) });
    expect(events).toHaveLength(load.total() + probes);
  },
);
