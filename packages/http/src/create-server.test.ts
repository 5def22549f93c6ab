import { connect } from 'node:net';
import { AppError } from '@tickmark/domain';
import { randomPhone, waitFor } from '@tickmark/testing';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { TIMEOUTS, type HttpServer } from './create-server.ts';
import { ask, createGate, postJson, startServer } from './fixtures/start-server.ts';

const body = z.strictObject({
  to: z.string().refine((to) => to.startsWith('+'), { params: { apiCode: 'INVALID_RECIPIENT' }, error: 'must start with +' }),
  names: z.array(z.object({ first: z.string() })).optional(),
});

const addRoutes = (server: HttpServer) => {
  server.post('/echo', { schema: { body } }, async ({ body: given }) => given);
  server.post('/small', { bodyLimit: 10 }, async () => 'ok');
  server.get(
    '/typed',
    {
      schema: {
        querystring: z.object({ n: z.coerce.number() }),
        response: { 200: z.object({ n: z.number() }), 400: z.object({ other: z.string() }) },
      },
    },
    async ({ query }) => ({ n: query.n + 1 }),
  );
  server.get('/refused', async () => {
    throw new AppError('QUEUE_UNAVAILABLE', 'Send it again later.', { retryAfterSeconds: 7, details: { id: 'x' } });
  });
  server.get('/crash', async () => {
    throw new Error(`secret ${randomPhone()}`);
  });
  server.get('/crash-with-status', async () => {
    throw Object.assign(new Error('secret'), { statusCode: 418 });
  });
  server.get('/wrong-answer', { schema: { response: { 200: z.object({ n: z.number() }) } } }, async () => ({ n: 'secret' }) as never);
  server.get('/items/:id', async () => 'ok');
};

describe('the error envelope', () => {
  test.each([
    ['a body that is no JSON', '/echo', postJson('{"a":'), 400, 'INVALID_JSON'],
    ['an empty body', '/echo', postJson(''), 400, 'INVALID_JSON'],
    ['a body that would change prototypes', '/echo', postJson('{"__proto__":{"a":1}}'), 400, 'INVALID_JSON'],
    ['a body that does not fit its schema', '/echo', postJson({}), 400, 'VALIDATION_FAILED'],
    ['a problem whose schema names its own code', '/echo', postJson({ to: 'x' }), 400, 'INVALID_RECIPIENT'],
    ['a query that does not fit, on a route that describes its 400 otherwise', '/typed?n=x', {}, 400, 'VALIDATION_FAILED'],
    ['a path that is not percent-encoded', '/items/%zz', {}, 400, 'VALIDATION_FAILED'],
    ['an unknown path', '/nowhere?to=x', {}, 404, 'NOT_FOUND'],
    ['an unknown method', '/echo', {}, 404, 'NOT_FOUND'],
    ['a parameter that is too long for any', `/items/${'x'.repeat(300)}`, {}, 404, 'NOT_FOUND'],
    ['a body above the limit of its route', '/small', postJson({ to: 'x'.repeat(100) }), 413, 'PAYLOAD_TOO_LARGE'],
    ['a body above the limit of the server', '/echo', postJson({ to: 'x'.repeat(70_000) }), 413, 'PAYLOAD_TOO_LARGE'],
    [
      'another content type',
      '/echo',
      { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: 'x' },
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    [
      'a body that is packed',
      '/echo',
      { method: 'POST', headers: { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' }, body: '{}' },
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    ['an expected refusal', '/refused', {}, 503, 'QUEUE_UNAVAILABLE'],
    ['an error that nobody foresaw', '/crash', {}, 500, 'INTERNAL'],
    ['a status that is no refusal of ours', '/crash-with-status', {}, 500, 'INTERNAL'],
    ['an answer that does not fit its own schema', '/wrong-answer', {}, 500, 'INTERNAL'],
  ])('%s', async (_name, path, init, status, code) => {
    const { url } = await startServer(addRoutes);
    const answer = await ask(`${url}${path}`, init);
    expect(answer).toMatchObject({
      status,
      json: { error: { code, message: expect.stringMatching(/\w{3}.*\.$/), requestId: expect.any(String) } },
    });
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(answer.text).not.toContain('secret');
  });

  test('tells every problem of a body with its path', async () => {
    const { url } = await startServer(addRoutes);
    const answer = await ask(`${url}/echo`, postJson({ names: [{ first: 'a' }, {}], extra: 1 }));
    expect(answer.json?.error?.details).toEqual([
      { path: 'to', message: expect.any(String) },
      { path: 'names.1.first', message: expect.any(String) },
      { path: '', message: expect.stringContaining('extra') },
    ]);
  });

  test('a refusal carries its details and Retry-After', async () => {
    const { url } = await startServer(addRoutes);
    const answer = await ask(`${url}/refused`);
    expect(answer.headers.get('retry-after')).toBe('7');
    expect(answer.json).toEqual({
      error: { code: 'QUEUE_UNAVAILABLE', message: 'Send it again later.', details: { id: 'x' }, requestId: expect.any(String) },
    });
  });

  test('what nobody foresaw is logged with the request id that its answer tells', async () => {
    const { url, logger } = await startServer(addRoutes);
    const answer = await ask(`${url}/crash`);
    expect(logger.lines()).toContainEqual(
      expect.objectContaining({ level: 'error', requestId: answer.json?.error?.requestId, route: '/crash', msg: 'request failed' }),
    );
  });

  test('valid requests are parsed and answered by their schemas', async () => {
    const { url } = await startServer(addRoutes);
    expect((await ask(`${url}/typed?n=41`)).json).toEqual({ n: 42 });
    expect((await ask(`${url}/echo`, postJson({ to: '+1' }))).json).toEqual({ to: '+1' });
  });
});

describe('request ids', () => {
  const idFor = async (url: string, given: string) =>
    (await ask(`${url}/nowhere`, { headers: { 'X-Request-Id': given } })).json?.error?.requestId;

  test('a sane id of the caller is kept', async () => {
    const { url } = await startServer();
    expect(await idFor(url, 'trace-1.2:3_4')).toBe('trace-1.2:3_4');
  });

  test.each([['two words'], ['"quoted"'], ['x'.repeat(65)], ['']])('%j is replaced', async (given) => {
    const { url } = await startServer();
    expect(await idFor(url, given)).toMatch(/^[\w-]{13,}$/);
    expect(await idFor(url, given)).not.toBe(given);
  });

  test('own ids differ', async () => {
    const { url } = await startServer();
    const ids = await Promise.all(Array.from({ length: 20 }, () => idFor(url, '')));
    expect(new Set(ids).size).toBe(20);
  });
});

describe('health', () => {
  test('live, ready and version answer without a key', async () => {
    const { url } = await startServer();
    expect(await ask(`${url}/health/live`)).toMatchObject({ status: 200 });
    expect(await ask(`${url}/health/ready`)).toMatchObject({ status: 200, json: { ready: true, reasons: [] } });
    expect(await ask(`${url}/version`)).toMatchObject({ status: 200, json: { version: '1.2.3' } });
  });

  test('not ready is 503 with the reasons', async () => {
    const { url } = await startServer(() => {}, { ready: async () => ({ ready: false, reasons: ['Redis does not answer'] }) });
    expect(await ask(`${url}/health/ready`)).toMatchObject({ status: 503, json: { ready: false, reasons: ['Redis does not answer'] } });
  });
});

const connectionsOf = (server: HttpServer) =>
  new Promise<number>((resolve) => server.server.getConnections((_error, count) => resolve(count)));

describe('broken and slow callers', () => {
  /** What a raw connection gets, and after how long it ends. */
  const send = (port: number, first: string, next = '') =>
    new Promise<{ text: string; afterMs: number }>((resolve) => {
      const startedMs = performance.now();
      let text = '';
      const socket = connect(port, '127.0.0.1', () => socket.write(first));
      const drip = setInterval(() => socket.write(next), 250);
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
      socket.on('error', () => {});
      socket.on('close', () => {
        clearInterval(drip);
        resolve({ text, afterMs: performance.now() - startedMs });
      });
    });

  test('with the usual settings slow headers, slow bodies and silent connections end, while others are answered', async () => {
    // Node looks once per interval. This is the promise; the times below are those of a busy machine.
    expect(Math.max(TIMEOUTS.requestTimeoutMs, TIMEOUTS.headersTimeoutMs) + TIMEOUTS.checkIntervalMs).toBeLessThanOrEqual(5_000);
    const { url, port } = await startServer(addRoutes);
    const slow = Promise.all([
      send(port, 'GET /health/live HTTP/1.1\r\nHost: x\r\n', 'X: y\r\n'),
      send(port, 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n', 'x'),
      send(port, ''),
    ]);
    expect((await ask(`${url}/version`)).status).toBe(200);
    for (const { text, afterMs } of await slow) {
      expect(afterMs).toBeLessThan(6_000);
      expect(text).toMatch(/^HTTP\/1\.1 408 /);
      expect(JSON.parse(text.slice(text.indexOf('{')))).toMatchObject({ error: { code: 'REQUEST_TIMEOUT' } });
    }
  });

  test.each([
    ['no HTTP', 'hello\r\n\r\n', 400, 'VALIDATION_FAILED'],
    ['endless headers', `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'PAYLOAD_TOO_LARGE'],
  ])('%s is refused in the same envelope', async (_name, text, status, code) => {
    const { port } = await startServer();
    const answer = await send(port, text);
    expect(answer.text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(JSON.parse(answer.text.slice(answer.text.indexOf('{')))).toMatchObject({ error: { code, requestId: expect.any(String) } });
  });

  test('a connection that says nothing does not keep the server from closing', async () => {
    const { server, port } = await startServer(() => {}, {
      timeouts: { requestTimeoutMs: 300, headersTimeoutMs: 300, checkIntervalMs: 60_000 },
    });
    const silent = send(port, '');
    await waitFor(async () => (await connectionsOf(server)) === 1);
    const startedMs = performance.now();
    await server.close();
    expect(performance.now() - startedMs).toBeLessThan(3_000);
    await silent;
  });

  test('a request in flight is answered while the server closes', async () => {
    const gate = createGate();
    const { server, url } = await startServer((one) => {
      one.get('/held', async () => {
        await gate.wait();
        return 'ok';
      });
    });
    const answer = ask(`${url}/held`);
    await waitFor(() => gate.waiting.length === 1);
    const closed = server.close();
    gate.open();
    expect((await answer).status).toBe(200);
    await closed;
  });

  test('a request that comes when closing has begun is answered as long as there is a connection', async () => {
    const gate = createGate();
    const { server, url } = await startServer((one) => {
      one.addHook('preClose', gate.wait);
    });
    const closed = server.close();
    await waitFor(() => gate.waiting.length === 1);
    expect((await ask(`${url}/version`)).status).toBe(200);
    gate.open();
    await closed;
  });
});
