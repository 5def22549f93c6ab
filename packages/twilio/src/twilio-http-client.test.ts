import { inspect } from 'node:util';
import { randomBody, randomPhone, randomToken, waitFor } from '@tickmark/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { LOCALHOST_CERTIFICATE } from './fixtures/localhost-certificate.ts';
import { answer, startScriptedTwilio, type Script } from './fixtures/scripted-twilio.ts';
import { CallError, createTwilioHttpClient } from './twilio-http-client.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** A client and what it talks to; `call` tells the status or the failure. */
async function start(script: Script, options: { tls?: boolean } = {}) {
  const twilio = await startScriptedTwilio(script, options);
  const client = createTwilioHttpClient({
    apiKeySid: 'SK1',
    apiKeySecret: { reveal: () => 'secret' },
    baseUrl: twilio.baseUrl,
    socketsMax: 1,
    timeoutMs: 5_000,
    ...(options.tls && { ca: LOCALHOST_CERTIFICATE }),
  });
  cleanups.push(
    () => twilio.close(),
    () => client.close(),
  );
  const call = async () => {
    try {
      return (await client.request({ method: 'post', uri: 'https://api.twilio.com/x', data: { To: 'a', MediaUrl: ['1', '2'] } }))
        .statusCode;
    } catch (error) {
      return error instanceof CallError ? error.failure : error;
    }
  };
  return { twilio, call };
}

describe('over TLS', () => {
  test('a trusted server is called over one connection', async () => {
    const { twilio, call } = await start(answer(201, {}), { tls: true });
    expect([await call(), await call()]).toEqual([201, 201]);
    expect(twilio.connections()).toBe(1);
  });

  test('a reset after the handshake is a lost connection, not one that never was', async () => {
    const { call } = await start((_response, _request, socket) => socket.destroy(), { tls: true });
    expect(await call()).toBe('connection-lost');
  });

  test('a reset is a lost connection also for a call that waited for the connection of another', async () => {
    const { twilio, call } = await start(
      (response, request, socket) => (twilio.requests.length === 1 ? answer(201, {})(response, request, socket) : socket.destroy()),
      { tls: true },
    );
    expect(await Promise.all([call(), call()])).toEqual([201, 'connection-lost']);
    expect(twilio.connections()).toBe(1);
  });
});

describe('free connections', () => {
  test('are closed a second before the peer said it would', async () => {
    const { twilio, call } = await start(answer(201, {}, { 'Keep-Alive': 'timeout=2' }));
    await call();
    const startedMs = performance.now();
    await waitFor(() => twilio.openConnections() === 0);
    expect(performance.now() - startedMs).toBeLessThan(1_900);
  });

  test('are not kept at all when the peer closes within a second', async () => {
    const { twilio, call } = await start(answer(201, {}, { 'Keep-Alive': 'timeout=1' }));
    expect([await call(), await call()]).toEqual([201, 201]);
    expect(twilio.connections()).toBe(2);
  });

  test('do not carry their idle limit into the next call', async () => {
    const { twilio, call } = await start((response, request, socket) => {
      const reply = () => answer(201, {}, { 'Keep-Alive': 'timeout=2' })(response, request, socket);
      if (twilio.requests.length === 1) reply();
      else setTimeout(reply, 1_500);
    });
    expect([await call(), await call()]).toEqual([201, 201]);
    expect(twilio.connections()).toBe(1);
  });
});

test('lists are sent as repeated keys', async () => {
  const { twilio, call } = await start(answer(201, {}));
  await call();
  expect([...(twilio.requests[0]?.form ?? [])]).toEqual([
    ['To', 'a'],
    ['MediaUrl', '1'],
    ['MediaUrl', '2'],
  ]);
});

test('what it throws holds no credential and nothing that was sent or answered', async () => {
  const [secret, body, phone] = [randomToken(), randomBody(), randomPhone()];
  const repeat =
    (httpStatus: number): Script =>
    (response, request, socket) =>
      answer(httpStatus, `${String(request.form)} ${String(request.headers.authorization)} ${phone} ${body}`)(response, request, socket);
  const scripts: Script[] = [repeat(201), repeat(400), repeat(500), () => {}, (_response, _request, socket) => socket.destroy()];
  for (const script of scripts) {
    const twilio = await startScriptedTwilio(script);
    cleanups.push(() => twilio.close());
    const client = createTwilioHttpClient({
      apiKeySid: 'SK1',
      apiKeySecret: { reveal: () => secret },
      baseUrl: twilio.baseUrl,
      socketsMax: 1,
      timeoutMs: 300,
    });
    cleanups.push(() => client.close());
    const error: unknown = await client
      .request({ method: 'post', uri: 'https://api.twilio.com/x', data: { To: phone, Body: body } })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CallError);
    const shown = inspect(error, { depth: Infinity, showHidden: true }) + JSON.stringify(error);
    for (const needle of [secret, Buffer.from(`SK1:${secret}`).toString('base64'), body, encodeURIComponent(body), phone, phone.slice(1)]) {
      expect(shown).not.toContain(needle);
    }
  }
});
