import type { StatusEvent } from '@tickmark/domain';
import { createFailpoints, createMetrics, openSpool } from '@tickmark/runtime';
import { captureLogger, freePort, randomBody, randomPhone, testFolder, testRedis, waitFor } from '@tickmark/testing';
import { signRequest } from '@tickmark/twilio';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { encodeForm, statusCallback, statusPath } from './fixtures/ingress-harness.ts';
import { startIngressProcess, type IngressProcess } from './fixtures/ingress-process.ts';
import { readQueues } from './fixtures/read-queues.ts';

const CALLERS = 40;

describe('the process', { timeout: 90_000 }, () => {
  const redis = testRedis();
  const started: IngressProcess[] = [];
  const start = async (...args: Parameters<typeof startIngressProcess>) => {
    const ingress = await startIngressProcess(...args);
    started.push(ingress);
    return ingress;
  };
  afterEach(() => Promise.all(started.splice(0).map(({ app }) => app.kill())));
  afterAll(() => redis.dropAll());

  const enqueued = () => readQueues({ ...redis, log: captureLogger().log, metrics: createMetrics({ process: 'ingress' }) });

  it('has made durable everything that it confirmed when SIGTERM comes under load, and exits 0', async () => {
    const ingress = await start(redis);
    await ingress.app.waitForReady(`${ingress.metricsUrl}/health/ready`, { timeoutMs: 60_000 });

    const confirmed = { messages: new Set<string>(), callbacks: new Set<string>() };
    const load = Array.from({ length: CALLERS }, (_, index) =>
      index % 2 ? postMessages(ingress, confirmed.messages) : postCallbacks(ingress, confirmed.callbacks),
    );
    await waitFor(() => confirmed.messages.size > 500 && confirmed.callbacks.size > 500, { message: 'load', timeoutMs: 60_000 });
    ingress.app.signal('SIGTERM');
    ingress.app.signal('SIGTERM');
    await Promise.all(load);
    expect(await ingress.app.exited).toEqual({ code: 0, signal: null });

    const { messages, events } = await enqueued();
    const stored = new Set([
      ...messages.map(({ id }) => id),
      ...[...events, ...(await leftOnDisk(ingress))].map(({ messageSid }) => messageSid),
    ]);
    expect([...confirmed.messages, ...confirmed.callbacks].filter((id) => !stored.has(id))).toEqual([]);
  });

  it('shows the flow on its metrics port, without phones, SIDs or accounts', async () => {
    const ingress = await start(redis);
    await ingress.app.waitForReady(`${ingress.metricsUrl}/health/ready`, { timeoutMs: 60_000 });
    const to = randomPhone();
    const { json } = await waitFor(async () => {
      const answer = await post(ingress, { to, body: randomBody(), campaign: 'spring' });
      return answer.status === 202 && answer;
    });
    const params = statusCallback(ingress);
    await waitFor(async () => (await callback(ingress, params)).status === 204);

    // A request is counted when its connection has taken the answer, which the caller may see first.
    const metrics = await waitFor(async () => {
      const text = await (await fetch(`${ingress.metricsUrl}/metrics`)).text();
      return /tickmark_http_request_duration_seconds_count\{[^}]*route="\/webhooks\/twilio\/status"[^}]*\} [1-9]/.test(text) && text;
    });
    expect(metrics).toMatch(/tickmark_http_request_duration_seconds_count\{[^}]*route="\/v1\/messages"[^}]*\} [1-9]/);
    for (const series of [
      'callbacks_received_total{result="queued"}',
      'callback_signature_total{result="valid"}',
      'group_commit_batch_size_count{site="intake"}',
      'group_commit_batch_size_count{site="status-callback"}',
    ]) {
      expect(metrics.split('\n').find((line) => line.startsWith(`tickmark_${series} `))).toMatch(/ [1-9]\d*$/);
    }
    for (const value of [to.slice(1), params['To']?.slice(-11), params['MessageSid'], ingress.accountSid, json.id, 'spring', 'shop']) {
      expect(metrics).not.toContain(value);
    }
    const version = await fetch(`${ingress.url}/version`);
    expect(await version.json()).toEqual({ version: expect.stringMatching(/^\d+\.\d+\.\d+/) });
    expect((await fetch(`${ingress.metricsUrl}/health/live`)).status).toBe(200);
    await enqueued();
  });

  it('stays, ready for webhooks, while Redis is away', async () => {
    const ingress = await start({ redisUrl: `redis://127.0.0.1:${await freePort()}`, base: redis.base });
    const readiness = await waitFor(() => fetch(`${ingress.metricsUrl}/health/ready`), { timeoutMs: 60_000 });
    expect(readiness.status).toBe(200);
    expect(await readiness.json()).toMatchObject({ ready: true, reasons: [expect.stringMatching(/redis.*wait on disk/i)] });
    expect(await ingress.app.kill()).toEqual({ code: 0, signal: null });
  });

  it('takes a token that was changed in its file without a restart', async () => {
    const file = join(testFolder('token'), 'auth-token');
    const tokens = ['0'.repeat(31) + '1', '0'.repeat(31) + '2'];
    writeFileSync(file, `${tokens[0]}\n`);
    const ingress = await start(redis, { TWILIO_AUTH_TOKEN: '', TWILIO_AUTH_TOKEN_FILE: file });
    await ingress.app.waitForReady(`${ingress.metricsUrl}/health/ready`, { timeoutMs: 60_000 });
    await waitFor(async () => (await callback({ ...ingress, authToken: tokens[0] ?? '' }, statusCallback(ingress))).status === 204);
    writeFileSync(file, `${tokens[1]}\n`);
    await waitFor(async () => (await callback({ ...ingress, authToken: tokens[1] ?? '' }, statusCallback(ingress))).status === 204);
    await enqueued();
  });

  it('says everything that is wrong with its configuration and exits 1', async () => {
    const { app } = await start(redis, { TWILIO_SENDERS: 'nobody', API_KEYS: 'shop', ALLOWED_RECIPIENTS: '12', REDIS_URL: '' });
    expect(await app.exited).toEqual({ code: 1, signal: null });
    for (const key of ['TWILIO_SENDERS', 'API_KEYS', 'ALLOWED_RECIPIENTS', 'REDIS_URL']) expect(app.output()).toContain(key);
  });

  it.each(['METRICS_PORT', 'INGRESS_PORT'])('exits 1 with the reason when the given %s is taken', async (key) => {
    const other = createServer();
    const port = await freePort();
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
    try {
      const { app } = await start(redis, { [key]: String(port) });
      expect(await app.exited).toEqual({ code: 1, signal: null });
      expect(app.output()).toContain(String(port));
      expect(app.output()).toContain(key);
    } finally {
      await new Promise((resolve) => other.close(resolve));
    }
  });
});

/** Posts until the process is gone. What was answered 202 is remembered. */
async function postMessages(ingress: IngressProcess, confirmed: Set<string>): Promise<void> {
  for (;;) {
    const answer = await post(ingress, { to: randomPhone(), body: 'x' }).catch(() => undefined);
    if (!answer) return;
    if (answer.status === 202) confirmed.add(answer.json.id);
  }
}

async function postCallbacks(ingress: IngressProcess, confirmed: Set<string>): Promise<void> {
  for (;;) {
    const params = statusCallback(ingress);
    const answer = await callback(ingress, params).catch(() => undefined);
    if (!answer) return;
    if (answer.status === 204) confirmed.add(params['MessageSid'] ?? '');
  }
}

async function post(ingress: IngressProcess, message: object): Promise<{ status: number; json: { id: string } }> {
  const headers = { authorization: `Bearer ${ingress.apiKey}`, 'content-type': 'application/json' };
  const response = await fetch(`${ingress.url}/v1/messages`, { method: 'POST', body: JSON.stringify(message), headers });
  return { status: response.status, json: (await response.json()) as { id: string } };
}

async function callback(
  ingress: Pick<IngressProcess, 'url' | 'publicBaseUrl' | 'authToken'>,
  params: Record<string, string>,
): Promise<{ status: number }> {
  const path = statusPath();
  const signature = signRequest({ token: ingress.authToken, url: ingress.publicBaseUrl + path, params });
  const response = await fetch(ingress.url + path, {
    method: 'POST',
    body: encodeForm(params),
    headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-twilio-signature': signature },
  });
  await response.arrayBuffer();
  return { status: response.status };
}

/** What a process that has ended leaves for the next one. */
async function leftOnDisk({ spoolDir }: IngressProcess): Promise<StatusEvent[]> {
  const left: unknown[] = [];
  const spool = await openSpool({
    dir: spoolDir,
    bytesMax: 1,
    deliver: async (_kind, items) => void left.push(...items),
    failpoints: createFailpoints(undefined),
    metrics: createMetrics({ process: 'ingress' }),
    log: captureLogger().log,
  });
  await spool.drain();
  await spool.close();
  return left as StatusEvent[];
}
