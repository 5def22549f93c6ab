import { connect } from 'node:net';
import { randomPhone, waitFor } from '@tickmark/testing';
import { describe, expect, test } from 'vitest';
import type { HttpServer } from './create-server.ts';
import { ask, createGate, postJson, startServer } from './fixtures/start-server.ts';

const COUNT = /^tickmark_http_request_duration_seconds_count\{(.*)\} (\d+)$/gm;
const countsOf = (text: string) => Object.fromEntries([...text.matchAll(COUNT)].map(([, labels, count]) => [labels, Number(count)]));

describe('what is told about a request', () => {
  test('one line and one observation by route pattern, never the path or the query', async () => {
    const phone = randomPhone();
    const { url, logger, metrics } = await startServer((server) => {
      server.get('/messages/:id', async (_request, reply) => reply.code(404).send());
    });
    await ask(`${url}/messages/${phone}?to=${phone}`, { headers: { 'X-Request-Id': 'trace-1' } });
    await ask(`${url}/nowhere/${phone}`, { method: 'POST' });
    const counts = await waitFor(async () => {
      const all = countsOf(await metrics.registry.metrics());
      return Object.keys(all).length === 2 && all;
    });
    expect(counts).toEqual({
      'method="GET",route="/messages/:id",status="4xx"': 1,
      'method="any",route="unknown",status="4xx"': 1,
    });
    expect(logger.lines()).toMatchObject([
      {
        level: 'info',
        msg: 'request answered',
        requestId: 'trace-1',
        method: 'GET',
        route: '/messages/:id',
        status: 404,
        durationMs: expect.any(Number),
      },
      { level: 'info', msg: 'request answered', method: 'any', route: 'unknown', status: 404 },
    ]);
    expect(logger.text()).not.toContain(phone.slice(1));
  });

  test('a quiet route tells its refusals at info and its successes at debug', async () => {
    const { url, logger } = await startServer((server) => {
      server.get('/quiet/:status', { config: { quiet: true } }, async (request, reply) =>
        reply.code(Number((request.params as { status: string }).status)).send(),
      );
    });
    await ask(`${url}/quiet/204`);
    await ask(`${url}/quiet/403`);
    await waitFor(() => logger.lines().length === 2);
    expect(logger.lines().map(({ level, status }) => [level, status])).toEqual([
      ['debug', 204],
      ['info', 403],
    ]);
  });

  test('a caller that hangs up is told as such and frees its place', async () => {
    const gate = createGate();
    const { port, url, logger, metrics } = await startServer(
      (server) => {
        server.get('/held', async () => {
          await gate.wait();
          return 'ok';
        });
        server.get('/free', async () => 'ok');
      },
      { inFlightMax: 1 },
    );
    const socket = connect(port, '127.0.0.1', () => socket.write('GET /held HTTP/1.1\r\nHost: x\r\n\r\n'));
    await waitFor(() => gate.waiting.length === 1);
    expect((await ask(`${url}/free`)).status).toBe(503);
    socket.destroy();
    await waitFor(async () => (await ask(`${url}/free`)).status === 200);
    gate.open();
    expect(logger.lines()).toContainEqual(
      expect.objectContaining({ msg: 'caller hung up before the answer', route: '/held', status: null }),
    );
    await waitFor(async () => countsOf(await metrics.registry.metrics())['method="GET",route="/held",status="aborted"'] === 1);
  });
});

describe('overload', () => {
  const addRoutes = (gate: ReturnType<typeof createGate>) => (server: HttpServer) => {
    const held = async () => {
      await gate.wait();
      return 'ok';
    };
    server.get('/first', held);
    server.get('/last', { config: { shed: 'last' } }, held);
  };

  test('above the bound the API is refused, webhooks at twice the bound, health never, and all are taken again afterwards', async () => {
    const gate = createGate();
    const { url } = await startServer(addRoutes(gate), { inFlightMax: 2 });
    const held = [ask(`${url}/first`), ask(`${url}/first`)];
    await waitFor(() => gate.waiting.length === 2);

    const refused = await ask(`${url}/first`);
    expect(refused).toMatchObject({ status: 503, json: { error: { code: 'OVERLOADED' } } });
    expect(refused.headers.get('retry-after')).toBe('1');
    held.push(ask(`${url}/last`), ask(`${url}/last`));
    await waitFor(() => gate.waiting.length === 4);
    expect((await ask(`${url}/last`)).status).toBe(503);
    expect((await ask(`${url}/health/live`)).status).toBe(200);

    gate.open();
    expect((await Promise.all(held)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    const again = ask(`${url}/first`);
    await waitFor(() => gate.waiting.length === 1);
    gate.open();
    expect((await again).status).toBe(200);
  });

  test('what requests hold is bounded too, by the length that they declare or by the limit of their route', async () => {
    const gate = createGate();
    const { url, port, metrics } = await startServer(
      (server) => {
        const held = async () => {
          await gate.wait();
          return 'ok';
        };
        server.post('/bulk', { config: { shed: 'bulk', holdsBytesMin: 400 } }, held);
        server.post('/first', { bodyLimit: 1_000 }, held);
        server.post('/last', { config: { shed: 'last' }, bodyLimit: 1_000 }, held);
      },
      { inFlightBytesMax: 1_000 },
    );
    const json = (length: number) => postJson(JSON.stringify('x'.repeat(length - 2)));
    const held = [ask(`${url}/bulk`, json(10))];
    await waitFor(() => gate.waiting.length === 1);
    expect((await ask(`${url}/bulk`, json(10))).json?.error?.code).toBe('OVERLOADED');
    held.push(ask(`${url}/first`, json(600)));
    await waitFor(() => gate.waiting.length === 2);

    expect((await ask(`${url}/first`, json(3))).status).toBe(503);
    expect((await ask(`${url}/first`, json(1_001))).status).toBe(413);
    held.push(ask(`${url}/last`, json(1_000)));
    await waitFor(() => gate.waiting.length === 3);
    const chunked =
      'POST /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n';
    expect(await firstLine(port, chunked)).toMatch(/ 503 /);
    expect((await ask(`${url}/health/live`)).status).toBe(200);

    gate.open();
    expect((await Promise.all(held)).map(({ status }) => status)).toEqual([200, 200, 200]);
    const { values } = await metrics.requestsShed.get();
    expect(values.flatMap(({ labels, value }) => (value > 0 ? [[labels.shed, labels.reason, value]] : []))).toEqual([
      ['bulk', 'bytes', 1],
      ['first', 'bytes', 1],
      ['last', 'bytes', 1],
    ]);
  });

  test('connections beyond their bound are closed and counted', async () => {
    const { url, port, metrics } = await startServer(() => {}, { connectionsMax: 1 });
    const open = connect(port, '127.0.0.1');
    await new Promise((resolve) => open.once('connect', resolve));
    expect(await firstLine(port, 'GET /version HTTP/1.1\r\nHost: x\r\n\r\n')).toBe('');
    open.destroy();
    await waitFor(async () => (await ask(`${url}/version`).catch(() => undefined))?.status === 200);
    expect(await metrics.registry.metrics()).toMatch(/requests_shed_total\{shed="last",reason="connections"\} [1-9]/);
  });
});

/** Of the answer to these bytes; empty when the connection ends without one. */
function firstLine(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text.split('\r\n')[0] ?? ''));
  });
}
