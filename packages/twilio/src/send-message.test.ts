import { createServer, type Socket } from 'node:net';
import { inspect } from 'node:util';
import type { SendRequest } from '@tickmark/domain';
import { captureLogger, freePort, randomBody, randomPhone, randomToken, waitFor } from '@tickmark/testing';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { answer, closeAll, listenOnLoopback, startScriptedTwilio, trackConnections, type Script } from './fixtures/scripted-twilio.ts';
import { createMessagesClient, type MessagesClientOptions } from './send-message.ts';

const SID = `SM${'c'.repeat(32)}`;
const CREATED = answer(201, { sid: SID, status: 'queued' }, { 'Twilio-Request-Id': 'RQ1' });
const NOTHING = { httpStatus: null, errorCode: null, requestId: null };

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function createClient(options: Partial<MessagesClientOptions> = {}) {
  const logger = captureLogger();
  const client = createMessagesClient({
    accountSid: `AC${'0'.repeat(32)}`,
    apiKeySid: `SK${'1'.repeat(32)}`,
    apiKeySecret: { reveal: () => 'a secret' },
    concurrency: 4,
    timeoutMs: 2_000,
    statusCallback: null,
    log: logger.log,
    ...options,
  });
  cleanups.push(() => client.close());
  return { client, logger };
}

async function startTwilio(script: Script) {
  const twilio = await startScriptedTwilio(script);
  cleanups.push(() => twilio.close());
  return twilio;
}

const request = (fields: Partial<SendRequest> = {}): SendRequest => ({
  messageId: '0190f3c8-7e5a-7cc1-9a52-7d1f6a3f2b10',
  attempt: 1,
  senderAddress: 'whatsapp:+15550001111',
  recipient: 'whatsapp:+15550002222',
  body: 'Hello',
  contentSid: null,
  contentVariables: null,
  mediaUrl: null,
  priority: 'bulk',
  validityPeriodSeconds: null,
  ...fields,
});

test('the fingerprint of the credentials follows a secret that is replaced, and shows neither', () => {
  let secret = 'a secret';
  const { client } = createClient({ apiKeySecret: { reveal: () => secret } });
  const before = client.credentialsFingerprint();
  expect(before).toMatch(/^[0-9a-f]{16}$/);
  expect(client.credentialsFingerprint()).toBe(before);
  secret = 'another secret';
  expect(client.credentialsFingerprint()).not.toBe(before);
  const unreadable = createClient({
    apiKeySecret: {
      reveal: () => {
        throw new Error('away');
      },
    },
  });
  expect(unreadable.client.credentialsFingerprint()).toMatch(/^[0-9a-f]{16}$/);
});

describe('what Twilio is asked', () => {
  const formOf = async (fields: Partial<SendRequest>, options: Partial<MessagesClientOptions> = {}) => {
    const twilio = await startTwilio(CREATED);
    const { client } = createClient({ baseUrl: twilio.baseUrl, ...options });
    await client.create(request(fields));
    expect(twilio.requests[0]).toMatchObject({ method: 'POST', url: `/2010-04-01/Accounts/AC${'0'.repeat(32)}/Messages.json` });
    return [...(twilio.requests[0]?.form ?? [])];
  };

  test('a text from a sender', async () => {
    expect(await formOf({ body: 'A+ & ü 😀' })).toEqual([
      ['To', 'whatsapp:+15550002222'],
      ['From', 'whatsapp:+15550001111'],
      ['Body', 'A+ & ü 😀'],
    ]);
  });

  test('a template from a Messaging Service, with variables as a JSON string', async () => {
    const fields = { senderAddress: `MG${'2'.repeat(32)}`, body: null, contentSid: 'HX1', contentVariables: { 1: 'Ann', 2: '"x"' } };
    expect(await formOf(fields)).toEqual([
      ['To', 'whatsapp:+15550002222'],
      ['ContentVariables', '{"1":"Ann","2":"\\"x\\""}'],
      ['MessagingServiceSid', `MG${'2'.repeat(32)}`],
      ['ContentSid', 'HX1'],
    ]);
  });

  test('media, validity and the status callback with message, attempt and overrides', async () => {
    const fields = { body: null, mediaUrl: 'https://example.com/a.png', validityPeriodSeconds: 60, attempt: 2 };
    expect(await formOf(fields, { statusCallback: { publicBaseUrl: 'https://tick.example.com' } })).toEqual([
      ['To', 'whatsapp:+15550002222'],
      [
        'StatusCallback',
        'https://tick.example.com/webhooks/twilio/status?m=0190f3c8-7e5a-7cc1-9a52-7d1f6a3f2b10&a=2#rc=5&rp=ct,rt,5xx&ct=2000&rt=4000',
      ],
      ['ValidityPeriod', '60'],
      ['From', 'whatsapp:+15550001111'],
      ['MediaUrl', 'https://example.com/a.png'],
    ]);
  });

  test('the secret is read at each call, so that a rotated one is used at once', async () => {
    const twilio = await startTwilio(CREATED);
    let secret = 'old';
    const { client } = createClient({ baseUrl: twilio.baseUrl, apiKeySid: 'SK1', apiKeySecret: { reveal: () => secret } });
    await client.create(request());
    secret = 'new';
    await client.create(request());
    const credentials = twilio.requests.map(({ headers }) =>
      Buffer.from(headers.authorization!.slice('Basic '.length), 'base64').toString(),
    );
    expect(credentials).toEqual(['SK1:old', 'SK1:new']);
  });

  test.each([
    ['options', { region: 'ie1', edge: 'dublin' }, {}],
    [
      'the environment',
      {},
      { TWILIO_REGION: 'ie1', TWILIO_EDGE: 'dublin', HTTP_PROXY: 'http://127.0.0.1:9', HTTPS_PROXY: 'http://127.0.0.1:9' },
    ],
  ])('region, edge and proxy of %s do not change where a base URL leads', async (_name, options, environment) => {
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    cleanups.push(() => vi.unstubAllEnvs());
    const twilio = await startTwilio(CREATED);
    const { client } = createClient({ baseUrl: `${twilio.baseUrl}/`, ...options });
    expect(await client.create(request())).toMatchObject({ kind: 'accepted' });
    expect(twilio.requests).toHaveLength(1);
  });

  test('a base URL may have a path', async () => {
    const twilio = await startTwilio(CREATED);
    const { client } = createClient({ baseUrl: `${twilio.baseUrl}/fake` });
    await client.create(request());
    expect(twilio.requests[0]?.url).toMatch(/^\/fake\/2010-04-01\//);
  });
});

/** A problem document of RFC 9457, as newer APIs of Twilio answer. */
const problem = (code: number, status: number) => ({ type: 'about:blank', title: 'No', status, code, detail: 'x', instance: '/x' });
const error = (code: number, status: number) => ({ code, message: 'No', more_info: 'https://www.twilio.com/docs/errors/x', status });

const ANSWERS: { name: string; script: Script; outcome: object }[] = [
  {
    name: '201 with a sid',
    script: CREATED,
    outcome: { kind: 'accepted', httpStatus: 201, errorCode: null, requestId: 'RQ1', messageSid: SID, rawStatus: 'queued' },
  },
  {
    name: '200 with a sid',
    script: answer(200, { sid: SID, status: 'accepted' }),
    outcome: { kind: 'accepted', httpStatus: 200, rawStatus: 'accepted', requestId: null },
  },
  { name: '201 with a sid and no status', script: answer(201, { sid: SID }), outcome: { kind: 'accepted', rawStatus: 'queued' } },
  {
    name: '201 with a sid among strange fields',
    script: answer(201, { sid: SID, status: 7, date_created: {}, error_code: [], subresource_uris: 'x' }),
    outcome: { kind: 'accepted', messageSid: SID },
  },
  {
    name: '201 without a sid',
    script: answer(201, { status: 'queued' }),
    outcome: { kind: 'unknown', reason: 'missing-sid', httpStatus: 201 },
  },
  {
    name: '201 with a sid that is none',
    script: answer(201, { sid: 'no sid at all' }),
    outcome: { kind: 'unknown', reason: 'missing-sid' },
  },
  {
    name: '201 with half of a JSON',
    script: answer(201, '{"sid":"SM'),
    outcome: { kind: 'unknown', reason: 'unparsable-answer', httpStatus: 201 },
  },
  { name: '201 with a list', script: answer(201, '[]'), outcome: { kind: 'unknown', reason: 'unparsable-answer' } },
  { name: '201 without a body', script: answer(201, ''), outcome: { kind: 'unknown', reason: 'unparsable-answer' } },
  {
    name: '201 with an endless body',
    script: answer(201, `{"sid":"${SID}","x":"${'x'.repeat(2_000_000)}"}`),
    outcome: { kind: 'unknown', reason: 'unparsable-answer' },
  },
  {
    name: '400 with a code',
    script: answer(400, error(21211, 400), { 'Twilio-Request-Id': 'RQ2' }),
    outcome: { kind: 'rejected', httpStatus: 400, errorCode: 21211, requestId: 'RQ2' },
  },
  { name: '400 with a code as RFC 9457', script: answer(400, problem(21211, 400)), outcome: { kind: 'rejected', errorCode: 21211 } },
  { name: '401 with a code', script: answer(401, error(20003, 401)), outcome: { kind: 'rejected', errorCode: 20003 } },
  { name: '404 with a code', script: answer(404, error(20404, 404)), outcome: { kind: 'rejected', errorCode: 20404 } },
  {
    name: "400 with a proxy's page",
    script: answer(400, '<html>'),
    outcome: { kind: 'unknown', reason: 'unrecognized-answer', httpStatus: 400, errorCode: null },
  },
  {
    name: "403 with a gateway's JSON that repeats the status",
    script: answer(403, { code: 403, message: 'Forbidden' }),
    outcome: { kind: 'unknown', reason: 'unrecognized-answer' },
  },
  {
    name: '400 with a code that is no number',
    script: answer(400, { code: 'X', message: 'No' }),
    outcome: { kind: 'unknown', reason: 'unrecognized-answer' },
  },
  {
    name: '429 with 20429',
    script: answer(429, error(20429, 429)),
    outcome: { kind: 'throttled', httpStatus: 429, errorCode: 20429, retryAfterMs: null },
  },
  { name: '429 with 20429 as RFC 9457', script: answer(429, problem(20429, 429)), outcome: { kind: 'throttled', errorCode: 20429 } },
  {
    name: '429 with 20429 and Retry-After in seconds',
    script: answer(429, error(20429, 429), { 'Retry-After': '3' }),
    outcome: { kind: 'throttled', retryAfterMs: 3_000 },
  },
  {
    name: '429 with 20429 and Retry-After in the past',
    script: answer(429, error(20429, 429), { 'Retry-After': 'Wed, 21 Oct 2015 07:28:00 GMT' }),
    outcome: { kind: 'throttled', retryAfterMs: 0 },
  },
  {
    name: '429 with 20429 and a Retry-After that is none',
    script: answer(429, error(20429, 429), { 'Retry-After': 'soon' }),
    outcome: { kind: 'throttled', retryAfterMs: null },
  },
  {
    name: '429 with another code',
    script: answer(429, error(63017, 429)),
    outcome: { kind: 'unknown', reason: 'unrecognized-answer', errorCode: 63017 },
  },
  {
    name: '429 without JSON',
    script: answer(429, 'Too many'),
    outcome: { kind: 'unknown', reason: 'unrecognized-answer', httpStatus: 429 },
  },
  {
    name: '500 with a code',
    script: answer(500, error(20500, 500)),
    outcome: { kind: 'unknown', reason: 'server-error', httpStatus: 500, errorCode: 20500 },
  },
  { name: '503 without JSON', script: answer(503, ''), outcome: { kind: 'unknown', reason: 'server-error', httpStatus: 503 } },
  { name: '503 with 20429', script: answer(503, error(20429, 503)), outcome: { kind: 'unknown', reason: 'server-error' } },
  {
    name: '307, which is not followed',
    script: answer(307, '', { Location: '/elsewhere' }),
    outcome: { kind: 'unknown', reason: 'unrecognized-answer', httpStatus: 307 },
  },
  { name: '304', script: answer(304, ''), outcome: { kind: 'unknown', reason: 'unrecognized-answer' } },
  {
    name: 'a reset instead of an answer',
    script: (_response, _request, socket) => socket.resetAndDestroy(),
    outcome: { kind: 'unknown', reason: 'connection-lost', ...NOTHING },
  },
  {
    name: 'the end of the connection instead of an answer',
    script: (_response, _request, socket) => socket.end(),
    outcome: { kind: 'unknown', reason: 'connection-lost' },
  },
  {
    name: 'something that is no HTTP',
    script: (_response, _request, socket) => socket.end('hello\r\n\r\n'),
    outcome: { kind: 'unknown', reason: 'connection-lost' },
  },
  {
    name: '201 that breaks off in its body',
    script: (response, _request, socket) => {
      response.writeHead(201, { 'Content-Length': 100, 'Twilio-Request-Id': 'RQ3' });
      response.write('{"sid":', () => socket.destroy());
    },
    outcome: { kind: 'unknown', reason: 'connection-lost', httpStatus: 201, requestId: 'RQ3' },
  },
  {
    name: '429 that breaks off in its body',
    script: (response, _request, socket) => {
      response.writeHead(429, { 'Content-Length': 100 });
      response.write('{"code":20429,', () => socket.destroy());
    },
    outcome: { kind: 'unknown', reason: 'connection-lost', httpStatus: 429 },
  },
];

describe('outcomes of answers', () => {
  test.each(ANSWERS)('$name', async ({ script, outcome }) => {
    const twilio = await startTwilio(script);
    const { client } = createClient({ baseUrl: twilio.baseUrl });
    expect(await client.create(request())).toMatchObject(outcome);
    expect(twilio.requests).toHaveLength(1);
  });

  test('Retry-After as a date is told in milliseconds from now', async () => {
    const twilio = await startTwilio(answer(429, error(20429, 429), { 'Retry-After': new Date(Date.now() + 30_000).toUTCString() }));
    const { client } = createClient({ baseUrl: twilio.baseUrl });
    const outcome = await client.create(request());
    expect(outcome.kind === 'throttled' && outcome.retryAfterMs).toBeGreaterThan(25_000);
    expect(outcome.kind === 'throttled' && outcome.retryAfterMs).toBeLessThanOrEqual(30_000);
  });
});

describe('time limits and connections', () => {
  const NEVER_CONNECTED = { kind: 'throttled', ...NOTHING, retryAfterMs: null };

  test('no answer in time is unknown', async () => {
    const twilio = await startTwilio(() => {});
    const { client } = createClient({ baseUrl: twilio.baseUrl, timeoutMs: 100 });
    expect(await client.create(request())).toEqual({ kind: 'unknown', reason: 'timeout', ...NOTHING });
  });

  test('an answer that drips is cut off at the time limit of the whole call', async () => {
    const twilio = await startTwilio((response) => {
      response.writeHead(201);
      const drip = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(drip));
    });
    const { client } = createClient({ baseUrl: twilio.baseUrl, timeoutMs: 200 });
    const startedMs = performance.now();
    expect(await client.create(request())).toMatchObject({ kind: 'unknown', reason: 'timeout', httpStatus: 201 });
    expect(performance.now() - startedMs).toBeLessThan(1_500);
  });

  test('a refused connection proves that nothing was created', async () => {
    const { client, logger } = createClient({ baseUrl: `http://127.0.0.1:${await freePort()}` });
    expect(await client.create(request())).toEqual(NEVER_CONNECTED);
    expect(logger.text()).toContain('ECONNREFUSED');
  });

  test('a name that does not resolve proves that nothing was created', async () => {
    const { client } = createClient({ baseUrl: 'http://twilio.invalid' });
    expect(await client.create(request())).toEqual(NEVER_CONNECTED);
  });

  test('a TLS handshake that is never answered proves that nothing was created', async () => {
    const sockets = new Set<Socket>();
    const server = createServer();
    trackConnections(server, sockets);
    const port = await listenOnLoopback(server);
    cleanups.push(() => closeAll(server, sockets));
    const { client } = createClient({ baseUrl: `https://127.0.0.1:${port}`, timeoutMs: 150 });
    expect(await client.create(request())).toEqual(NEVER_CONNECTED);
  });

  test('a certificate that is not trusted proves that nothing was created', async () => {
    const twilio = await startScriptedTwilio(CREATED, { tls: true });
    cleanups.push(() => twilio.close());
    const { client, logger } = createClient({ baseUrl: twilio.baseUrl });
    expect(await client.create(request())).toEqual(NEVER_CONNECTED);
    expect(twilio.requests).toEqual([]);
    expect(logger.text()).toContain('DEPTH_ZERO_SELF_SIGNED_CERT');
  });

  test('a secret that cannot be read stops the call before it begins', async () => {
    const twilio = await startTwilio(CREATED);
    const apiKeySecret = {
      reveal: (): string => {
        throw Object.assign(new Error('cannot open the secret'), { code: 'ENOENT' });
      },
    };
    const { client, logger } = createClient({ baseUrl: twilio.baseUrl, apiKeySecret });
    expect(await client.create(request())).toEqual(NEVER_CONNECTED);
    expect(twilio.connections()).toBe(0);
    expect(logger.text()).toContain('ENOENT');
  });

  test('a reset of a connection that was used before is unknown', async () => {
    const twilio = await startTwilio((response, received, socket) => {
      if (twilio.requests.length === 1) CREATED(response, received, socket);
      else socket.resetAndDestroy();
    });
    const { client } = createClient({ baseUrl: twilio.baseUrl, concurrency: 1 });
    await client.create(request());
    expect(await client.create(request())).toMatchObject({ kind: 'unknown', reason: 'connection-lost' });
    expect(twilio.connections()).toBe(1);
  });

  test('a reset is unknown also for a call that had to wait for its connection', async () => {
    const twilio = await startTwilio((response, received, socket) => {
      if (twilio.requests.length === 1) CREATED(response, received, socket);
      else socket.resetAndDestroy();
    });
    const { client } = createClient({ baseUrl: twilio.baseUrl, concurrency: 1 });
    const outcomes = await Promise.all([client.create(request()), client.create(request())]);
    expect(outcomes).toMatchObject([{ kind: 'accepted' }, { kind: 'unknown', reason: 'connection-lost' }]);
    expect(twilio.connections()).toBe(1);
  });

  test('connections are reused, and there are no more of them than calls in flight are allowed', async () => {
    const twilio = await startTwilio((response, received, socket) => void setTimeout(() => CREATED(response, received, socket), 10));
    const { client } = createClient({ baseUrl: twilio.baseUrl, concurrency: 3 });
    await Promise.all(Array.from({ length: 30 }, () => client.create(request())));
    expect(twilio.connections()).toBe(3);
  });

  test('closing drops the connections', async () => {
    const twilio = await startTwilio(CREATED);
    const { client } = createClient({ baseUrl: twilio.baseUrl });
    await client.create(request());
    expect(twilio.openConnections()).toBe(1);
    client.close();
    await waitFor(() => twilio.openConnections() === 0);
  });
});

describe('secrets', () => {
  test('no outcome and no log line holds a credential, a phone or a body', async () => {
    const secret = randomToken();
    const body = randomBody();
    const [from, to] = [randomPhone(), randomPhone()];
    const planted = [secret, Buffer.from(`SK1:${secret}`).toString('base64'), body, encodeURIComponent(body), from.slice(1), to.slice(1)];
    const seen: unknown[] = [];
    const echo =
      (httpStatus: number): Script =>
      (response, received, socket) =>
        answer(
          httpStatus,
          { ...Object.fromEntries(received.form), code: 21211, message: `${to} ${body} ${String(received.headers.authorization)}` },
          { 'Twilio-Request-Id': `${to} ${secret}` },
        )(response, received, socket);
    const page: Script = (response, received, socket) =>
      answer(200, `<p>${String(received.form)} ${String(received.headers.authorization)}</p>`)(response, received, socket);
    const scripts: Script[] = [...ANSWERS.map(({ script }) => script), ...[200, 400, 429, 500].map(echo), page];
    for (const script of scripts) {
      const twilio = await startTwilio(script);
      const { client, logger } = createClient({ baseUrl: twilio.baseUrl, apiKeySid: 'SK1', apiKeySecret: { reveal: () => secret } });
      seen.push(await client.create(request({ senderAddress: `whatsapp:${from}`, recipient: `whatsapp:${to}`, body })), logger.text());
    }
    const refused = createClient({ baseUrl: `http://127.0.0.1:${await freePort()}`, apiKeySecret: { reveal: () => secret } });
    seen.push(await refused.client.create(request({ recipient: `whatsapp:${to}`, body })), refused.logger.text());
    const everything =
      JSON.stringify(seen) + inspect(seen, { depth: Infinity, showHidden: true, maxStringLength: Infinity, maxArrayLength: Infinity });
    for (const needle of planted) expect(everything).not.toContain(needle);
  });
});
