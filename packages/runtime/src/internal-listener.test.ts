import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { startInternalListener, type InternalListenerOptions } from './internal-listener.ts';
import { createLogger } from './logger.ts';
import { createMetrics } from './metrics.ts';
import { VERSION } from './version.ts';

const metrics = createMetrics({ process: 'worker' });
const lines: Record<string, unknown>[] = [];
const log = createLogger({
  process: 'test',
  destination: { write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>) },
});
const open: { close: () => unknown }[] = [];

afterEach(async () => {
  for (const { close } of open.splice(0)) await close();
  lines.length = 0;
});

async function start(
  options: Partial<InternalListenerOptions> = {},
): Promise<{ port: number; get: (path: string, init?: RequestInit) => Promise<Response>; close: () => Promise<void> }> {
  const ready = () => Promise.resolve({ ready: true, reasons: [] });
  const listener = await startInternalListener({ host: '127.0.0.1', port: 0, portWasGiven: true, metrics, log, ready, ...options });
  open.push({ close: () => listener.close() });
  const { port } = listener;
  return { port, get: (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init), close: () => listener.close() };
}

async function occupyPort(): Promise<number> {
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push({ close: () => new Promise((resolve) => server.close(resolve)) });
  return (server.address() as AddressInfo).port;
}

describe('what it shows', () => {
  test('/metrics shows the registry in the format of Prometheus', async () => {
    const { get } = await start();
    const answer = await get('/metrics');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(await answer.text()).toContain('tickmark_spooled_events 0');
  });

  test('/metrics brings gauges up to date first, and does without when that fails', async () => {
    const updated = await start({ beforeScrape: () => Promise.resolve(metrics.canaryAge.set({ queue: 'canary' }, 7)) });
    expect(await (await updated.get('/metrics')).text()).toContain('tickmark_canary_age_seconds{queue="canary"} 7');
    const failing = await start({ beforeScrape: () => Promise.reject(new Error('redis is away')) });
    const answer = await failing.get('/metrics');
    expect(answer.status).toBe(200);
    // Read to its end: it is long enough by now to keep the connection open else.
    await answer.text();
    expect(lines.map(({ msg }) => msg)).toContain('gauges could not be brought up to date for a scrape');
  });

  test('/version shows the release', async () => {
    const { get } = await start();
    expect(await (await get('/version')).json()).toEqual({ version: VERSION, node: process.version });
  });

  test('other paths and methods are refused', async () => {
    const { get } = await start();
    expect((await get('/')).status).toBe(404);
    expect((await get('/health/ready', { method: 'POST' })).status).toBe(405);
    expect((await get('/health/ready?x=1', { method: 'HEAD' })).status).toBe(200);
  });
});

describe('readiness', () => {
  test('is 200 when ready and 503 with every reason when not', async () => {
    let readiness = { ready: true, reasons: [] as string[] };
    const { get } = await start({ ready: () => Promise.resolve(readiness) });
    const good = await get('/health/ready');
    expect([good.status, await good.json()]).toEqual([200, { ready: true, reasons: [] }]);
    readiness = { ready: false, reasons: ['redis does not answer', 'migrations are missing'] };
    const bad = await get('/health/ready');
    expect([bad.status, await bad.json()]).toEqual([503, readiness]);
  });

  test('a check that hangs or throws is "not ready" after its deadline, without a credential in the reason', async () => {
    const hanging = await start({ ready: () => new Promise(() => undefined) });
    const startMs = performance.now();
    const answer = await hanging.get('/health/ready');
    expect(performance.now() - startMs).toBeLessThan(5000);
    expect([answer.status, await answer.json()]).toEqual([
      503,
      { ready: false, reasons: ['the readiness check gave no answer: it took longer than 900 ms'] },
    ]);
    const failing = await start({ ready: () => Promise.reject(new Error('no route to redis://u:private@cache')) });
    const refused = await failing.get('/health/ready');
    expect([refused.status, await refused.json()]).toEqual([
      503,
      { ready: false, reasons: ['the readiness check gave no answer: no route to redis://[redacted]@cache'] },
    ]);
  });
});

describe('liveness', () => {
  test.each([
    ['without a check', undefined, 200],
    ['with a check that says yes', () => Promise.resolve(true), 200],
    ['with a check that says no', () => Promise.resolve(false), 503],
    ['with a check that fails, because an outage of a store must not restart the fleet', () => Promise.reject(new Error('away')), 200],
    ['with a check that hangs, for the same reason', () => new Promise<boolean>(() => undefined), 200],
  ])('%s', async (_what, live, status) => {
    const { get } = await start(live === undefined ? {} : { live });
    const answer = await get('/health/live');
    expect([answer.status, await answer.json()]).toEqual([status, { live: status === 200 }]);
  });
});

describe('the port', () => {
  test('a default one that is taken gives way to the next free one, which is logged', async () => {
    const taken = await occupyPort();
    const { port, get } = await start({ port: taken, portWasGiven: false });
    expect(port).toBeGreaterThan(taken);
    expect((await get('/version')).status).toBe(200);
    expect(lines).toContainEqual(
      expect.objectContaining({ level: 'warn', taken, port, msg: 'default metrics port is taken, using the next free one' }),
    );
  });

  test('a given one that is taken is an error that says what to do', async () => {
    const taken = await occupyPort();
    await expect(start({ port: taken })).rejects.toThrow(
      `METRICS_PORT ${taken} is taken on 127.0.0.1: end what listens there, give another port, or 0 for any free one`,
    );
  });

  test('a host that is not ours is an error that names the setting', async () => {
    await expect(start({ host: '203.0.113.1' })).rejects.toThrow(
      /cannot listen on 203\.0\.113\.1 port 0 \(EADDRNOTAVAIL\): check LISTEN_HOST/,
    );
  });

  test('two processes with the same default port both come up', async () => {
    const taken = await occupyPort();
    const both = await Promise.all([start({ port: taken, portWasGiven: false }), start({ port: taken, portWasGiven: false })]);
    expect(new Set(both.map(({ port }) => port)).size).toBe(2);
  });
});

test('close ends it even while a client keeps its connection open and an answer is under way', async () => {
  const { port, close } = await start({ ready: () => new Promise(() => undefined) });
  const answer = fetch(`http://127.0.0.1:${port}/health/ready`).catch((error: unknown) => error);
  await fetch(`http://127.0.0.1:${port}/version`).then((response) => response.text());
  await close();
  await close();
  expect(await answer).toBeInstanceOf(Error);
  await expect(fetch(`http://127.0.0.1:${port}/version`)).rejects.toThrow('fetch failed');
});
