import { randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { randomPhone, randomToken } from '@tickmark/testing';
import { signRequest } from '@tickmark/twilio';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createIngressHarness,
  encodeForm,
  randomSid,
  statusCallback,
  statusPath,
  type IngressHarness,
} from '../fixtures/ingress-harness.ts';
import { postPipelined } from '../fixtures/post-pipelined.ts';

describe('POST /webhooks/twilio/status', () => {
  let ingress: IngressHarness;
  beforeAll(async () => {
    ingress = await createIngressHarness();
  });
  afterAll(() => ingress.close());

  const count = async (metric: 'callbacksReceived' | 'callbackSignature', result: string) => {
    const { values } = await ingress.metrics[metric].get();
    return values.find(({ labels }) => labels.result === result)?.value ?? 0;
  };

  it('answers 204 without a body, and the queue holds the event', async () => {
    const id = randomUUID();
    const params = statusCallback(ingress, {
      MessageStatus: 'undelivered',
      ErrorCode: '63024',
      ChannelStatusMessage: 'Ungültiger Empfänger ✗',
      MessagingServiceSid: randomSid('MG'),
    });
    const answer = await ingress.webhook(statusPath(id, 2), params);
    expect(answer).toMatchObject({ status: 204, text: '' });

    const { events } = await ingress.enqueued();
    expect(events).toEqual([
      {
        messageId: id,
        attempt: 2,
        messageSid: params['MessageSid'],
        rawStatus: 'undelivered',
        errorCode: 63024,
        receivedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
        from: params['From'],
        to: params['To'],
        messagingServiceSid: params['MessagingServiceSid'],
        channelStatusMessage: params['ChannelStatusMessage'],
        source: 'callback',
      },
    ]);
  });

  it.each([
    ['an unknown status word', { MessageStatus: 'teleported', SmsStatus: 'teleported' }, '?m=none&a=x'],
    ['unknown, repeated-looking and bracketed parameters', { Weather: 'fine', 'a[b]': '1', Empty: '' }, ''],
    ['an unknown SID and no id of ours', {}, ''],
    ['signs, spaces and emojis in values', { Body: " a+b & 'c' = \t ✓ 👋🏽", ErrorMessage: '%41' }, '?m=%41&x=a+b%20c'],
  ])('accepts %s', async (_name, overrides, query) => {
    const answer = await ingress.webhook(`/webhooks/twilio/status${query}`, statusCallback(ingress, overrides));
    expect(answer.status).toBe(204);
    expect((await ingress.enqueued()).events).toHaveLength(1);
  });

  it('accepts the same callback again: applying it twice is the worker’s concern', async () => {
    const path = statusPath();
    const params = statusCallback(ingress);
    expect((await ingress.webhook(path, params)).status).toBe(204);
    expect((await ingress.webhook(path, params)).status).toBe(204);
    expect((await ingress.enqueued()).events).toHaveLength(2);
  });

  it('writes 200 concurrent callbacks in far fewer jobs', async () => {
    const request = () => {
      const [path, params] = [statusPath(), statusCallback(ingress)];
      const signature = signRequest({ token: ingress.authTokens[0], url: ingress.publicBaseUrl + path, params });
      const headers = { 'content-type': 'application/x-www-form-urlencoded', 'x-twilio-signature': signature };
      return { path, headers, body: encodeForm(params) };
    };
    const statuses = await postPipelined(ingress.url, Array.from({ length: 200 }, request));
    expect(statuses).toEqual(Array(200).fill(204));
    const { events, jobs } = await ingress.enqueued();
    expect(events).toHaveLength(200);
    expect(jobs).toBeLessThan(20);
  });

  it('accepts both tokens while they are rotated, and counts which one signed', async () => {
    const [current, next] = ingress.authTokens;
    const before = [await count('callbackSignature', 'valid'), await count('callbackSignature', 'valid_next_token')];
    expect((await ingress.webhook(statusPath(), statusCallback(ingress), { token: current })).status).toBe(204);
    expect((await ingress.webhook(statusPath(), statusCallback(ingress), { token: next })).status).toBe(204);
    const after = [await count('callbackSignature', 'valid'), await count('callbackSignature', 'valid_next_token')];
    expect(after).toEqual(before.map((value) => value + 1));
    await ingress.enqueued();
  });

  describe('refuses, stores nothing, and counts it:', () => {
    const refused = {
      status: 403,
      json: { error: { code: 'INVALID_SIGNATURE', message: expect.any(String), requestId: expect.any(String) } },
    };

    it('a request without signature, body and content type', async () => {
      expect((await fetch(ingress.url + statusPath(), { method: 'POST' })).status).toBe(403);
    });

    it('a callback without a signature', async () => {
      const before = await count('callbackSignature', 'missing');
      const answer = await ingress.webhook(statusPath(), statusCallback(ingress), { signature: null });
      expect(answer).toMatchObject(refused);
      expect(answer.json.error.message).toContain('X-Twilio-Signature');
      expect(await count('callbackSignature', 'missing')).toBe(before + 1);
      expect((await ingress.enqueued()).events).toEqual([]);
    });

    it('a callback signed with another token', async () => {
      const before = [await count('callbackSignature', 'invalid'), await count('callbacksReceived', 'invalid_signature')];
      const answer = await ingress.webhook(statusPath(), statusCallback(ingress), { token: randomToken() });
      expect(answer).toMatchObject(refused);
      expect(answer.json.error.message).toContain('PUBLIC_BASE_URL');
      const after = [await count('callbackSignature', 'invalid'), await count('callbacksReceived', 'invalid_signature')];
      expect(after).toEqual(before.map((value) => value + 1));
      expect((await ingress.enqueued()).events).toEqual([]);
    });

    it.each(['', 'x', '=', 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=', '='.repeat(28), 'x'.repeat(8_000)])('the signature "%s"', async (signature) => {
      expect(await ingress.webhook(statusPath(), statusCallback(ingress), { signature })).toMatchObject(refused);
      expect((await ingress.enqueued()).events).toEqual([]);
    });

    it('a callback of which any field was altered, added or left out', async () => {
      const path = statusPath();
      const params = statusCallback(ingress, { ErrorCode: '63024' });
      const signature = signRequest({ token: ingress.authTokens[0], url: ingress.publicBaseUrl + path, params });
      const forgeries = Object.keys(params).flatMap((name) => {
        const { [name]: value, ...rest } = params;
        return [{ ...params, [name]: `${value}0` }, rest];
      });
      for (const forged of [...forgeries, { ...params, Extra: '1' }]) {
        expect(await ingress.webhook(path, forged, { signature })).toMatchObject(refused);
      }
      for (const other of [statusPath(), path.replace('a=1', 'a=2'), `${path}&x=1`, path.split('?')[0] ?? '']) {
        expect(await ingress.webhook(other, params, { signature })).toMatchObject(refused);
      }
      expect((await ingress.enqueued()).events).toEqual([]);
      expect((await ingress.webhook(path, params, { signature })).status).toBe(204);
      await ingress.enqueued();
    });

    it('a callback signed for a URL of another host, also when Host and X-Forwarded-* claim it', async () => {
      const path = statusPath();
      const params = statusCallback(ingress);
      const signature = signRequest({ token: ingress.authTokens[0], url: `https://evil.example${path}`, params });
      const response = await fetch(ingress.url + path, {
        method: 'POST',
        body: encodeForm(params),
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          'x-twilio-signature': signature,
          'x-forwarded-host': 'evil.example',
          'x-forwarded-proto': 'https',
        },
      });
      expect(response.status).toBe(403);
      expect((await ingress.enqueued()).events).toEqual([]);
    });

    it('a correctly signed callback of another account', async () => {
      const before = await count('callbacksReceived', 'wrong_account');
      const answer = await ingress.webhook(statusPath(), statusCallback(ingress, { AccountSid: randomSid('AC') }));
      expect(answer).toMatchObject({
        status: 403,
        json: { error: { code: 'WRONG_ACCOUNT', message: expect.stringContaining('TWILIO_ACCOUNT_SID') } },
      });
      expect(await count('callbacksReceived', 'wrong_account')).toBe(before + 1);
      expect((await ingress.enqueued()).events).toEqual([]);
    });

    it('a correctly signed callback without MessageSid', async () => {
      const { MessageSid: _sid, SmsSid: _smsSid, ...params } = statusCallback(ingress);
      const answer = await ingress.webhook(statusPath(), params);
      expect(answer).toMatchObject({
        status: 400,
        json: { error: { code: 'VALIDATION_FAILED', message: expect.stringContaining('MessageSid') } },
      });
      expect((await ingress.enqueued()).events).toEqual([]);
    });

    it('a form over 64 KiB', async () => {
      const before = await count('callbacksReceived', 'too_large');
      const answer = await ingress.webhook(statusPath(), statusCallback(ingress, { Body: 'x'.repeat(66_000) }));
      expect(answer).toMatchObject({ status: 413, json: { error: { code: 'PAYLOAD_TOO_LARGE' } } });
      expect(await count('callbacksReceived', 'too_large')).toBe(before + 1);
      expect((await ingress.enqueued()).events).toEqual([]);
    });

    it('JSON, and GET', async () => {
      const json = await fetch(`${ingress.url}${statusPath()}`, {
        method: 'POST',
        body: '{}',
        headers: { 'content-type': 'application/json' },
      });
      expect([json.status, await json.json()]).toMatchObject([415, { error: { code: 'UNSUPPORTED_MEDIA_TYPE' } }]);
      expect((await fetch(`${ingress.url}${statusPath()}`)).status).toBe(404);
      expect((await ingress.enqueued()).events).toEqual([]);
    });
  });

  it('verifies the path of a request line that holds a whole URL, not its host', async () => {
    const path = statusPath();
    const params = statusCallback(ingress);
    const signature = signRequest({ token: ingress.authTokens[0], url: ingress.publicBaseUrl + path, params });
    expect(await postAbsolute(ingress, `http://whoever.example${path}`, encodeForm(params), signature)).toBe(204);
    expect(await postAbsolute(ingress, `http://whoever.example${path}&x=1`, encodeForm(params), signature)).toBe(403);
    expect((await ingress.enqueued()).events).toHaveLength(1);
  });

  it('shows phones, SIDs and accounts neither in labels nor in the log', async () => {
    const params = statusCallback(ingress);
    const path = statusPath();
    await ingress.webhook(path, params);
    await ingress.webhook(path, params, { signature: null });
    await ingress.enqueued();
    const shown = (await ingress.metrics.registry.metrics()) + ingress.log.text();
    for (const value of [params['To'], params['MessageSid'], params['AccountSid'], ingress.authTokens[0], path.slice(-40)]) {
      expect(shown).not.toContain(value);
    }
    expect(await ingress.metrics.registry.metrics()).toContain('route="/webhooks/twilio/status"');
  });
});

describe('POST /webhooks/twilio/status under a public URL with a path', () => {
  let ingress: IngressHarness;
  beforeAll(async () => {
    ingress = await createIngressHarness({ settings: { publicBaseUrl: 'https://example.com/team/tickmark' } });
  });
  afterAll(() => ingress.close());

  it.each([
    ['removes it', ''],
    ['passes it on', '/team/tickmark'],
  ])('verifies the public URL behind a proxy that %s', async (_name, arriving) => {
    const path = statusPath();
    const params = statusCallback(ingress);
    expect((await ingress.webhook(arriving + path, params, { url: `https://example.com/team/tickmark${path}` })).status).toBe(204);
    expect((await ingress.webhook(arriving + path, params, { url: `https://example.com${path}` })).status).toBe(403);
    expect((await ingress.enqueued()).events).toHaveLength(1);
  });

  it('takes messages in both places', async () => {
    const headers = { authorization: `Bearer ${ingress.keys.shop}`, 'content-type': 'application/json' };
    const body = JSON.stringify({ to: randomPhone(), body: 'x' });
    for (const prefix of ['', '/team/tickmark']) {
      expect((await fetch(`${ingress.url}${prefix}/v1/messages`, { method: 'POST', headers, body })).status).toBe(202);
    }
    expect((await ingress.enqueued()).messages).toHaveLength(2);
  });
});

/** As a forward proxy would ask: `POST http://host/path HTTP/1.1`. */
function postAbsolute(ingress: IngressHarness, target: string, body: string, signature: string): Promise<number | undefined> {
  const { port } = new URL(ingress.url);
  return new Promise((resolve, reject) => {
    httpRequest({
      host: '127.0.0.1',
      port,
      method: 'POST',
      path: target,
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-twilio-signature': signature, connection: 'close' },
    })
      .on('response', (response) => {
        response.resume().on('end', () => resolve(response.statusCode));
      })
      .on('error', reject)
      .end(body);
  });
}
