import { gzipSync } from 'node:zlib';
import type { StatusEvent } from '@tickmark/domain';
import { randomToken } from '@tickmark/testing';
import { parseForm, signRequest, type FormParams } from '@tickmark/twilio';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createIngressHarness,
  encodeForm,
  randomSid,
  statusCallback,
  statusPath,
  type IngressHarness,
} from './fixtures/ingress-harness.ts';
import { rawRequest, sendRaw } from './fixtures/send-raw.ts';

interface Hostile {
  body?: Buffer | string;
  /** What is signed, where it is not the body as we read it. */
  signed?: FormParams;
  token?: string;
  path?: string;
  target?: string;
  headers?: Record<string, string | readonly string[] | null>;
}

let ingress: IngressHarness;
beforeAll(async () => {
  ingress = await createIngressHarness();
});
afterAll(() => ingress.close());

const FORM = 'application/x-www-form-urlencoded';

/** A signed callback with its raw form extended. */
const formWith = (extra: string, overrides: Record<string, string> = {}) => `${encodeForm(statusCallback(ingress, overrides))}&${extra}`;
const bytesWith = (name: string, bytes: readonly number[]) =>
  Buffer.concat([Buffer.from(`${encodeForm(statusCallback(ingress))}&${name}=a`), Buffer.from(bytes), Buffer.from('b')]);

function requestOf({
  body = '',
  signed,
  token = ingress.authTokens[0],
  path = statusPath(),
  target = path,
  headers = {},
}: Hostile): Buffer {
  const signature = signRequest({ token, url: ingress.publicBaseUrl + path, params: signed ?? parseForm(body) });
  return rawRequest({ target, body, headers: { 'content-type': FORM, 'x-twilio-signature': signature, ...headers } });
}

async function send(hostile: Hostile) {
  const { status, code } = await sendRaw(ingress.url, requestOf(hostile));
  return { status, code };
}

describe('a hostile webhook', () => {
  it.each<[string, () => Hostile, number, string]>([
    ['forged', () => ({ body: formWith('x=1'), token: randomToken() }), 403, 'INVALID_SIGNATURE'],
    ['with a signature of nothing', () => ({ body: formWith('x=1'), signed: {} }), 403, 'INVALID_SIGNATURE'],
    ['with two signatures, one of them right', () => twice(formWith('x=1')), 403, 'INVALID_SIGNATURE'],
    ['of another account', () => ({ body: formWith('', { AccountSid: randomSid('AC') }) }), 403, 'WRONG_ACCOUNT'],
    ['without anything', () => ({}), 400, 'VALIDATION_FAILED'],
    ['of 10,000 parameters', () => manyParameters(10_000), 413, 'PAYLOAD_TOO_LARGE'],
    ['of 1 MiB', () => ({ body: formWith(`Body=${'x'.repeat(1_048_576)}`) }), 413, 'PAYLOAD_TOO_LARGE'],
    ['of 1 MiB, in chunks', () => chunked(formWith(`Body=${'x'.repeat(1_048_576)}`)), 413, 'PAYLOAD_TOO_LARGE'],
    ['packed by gzip', () => packed(formWith('x=1')), 415, 'UNSUPPORTED_MEDIA_TYPE'],
    ['of JSON', () => ({ body: '{}', headers: { 'content-type': 'application/json' } }), 415, 'UNSUPPORTED_MEDIA_TYPE'],
    ['of no content type', () => ({ body: formWith('x=1'), headers: { 'content-type': null } }), 415, 'UNSUPPORTED_MEDIA_TYPE'],
    [
      'of several parts',
      () => ({ body: 'x', headers: { 'content-type': 'multipart/form-data; boundary=x' } }),
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    ['with a length and in chunks', () => ({ body: 'x=1', headers: { 'transfer-encoding': 'chunked' } }), 400, 'VALIDATION_FAILED'],
    ['of two lengths', () => ({ body: 'x=1', headers: { 'content-length': ['3', '1'] } }), 400, 'VALIDATION_FAILED'],
    ['with a NUL in its path', () => ({ body: formWith('x=1'), path: '/webhooks/twilio/status%00' }), 404, 'NOT_FOUND'],
    ['with a path that is no percent-encoding', () => ({ path: '/webhooks/twilio/%zz' }), 400, 'VALIDATION_FAILED'],
    ['with a header of 32 KiB', () => ({ headers: { x: 'x'.repeat(32_768) } }), 431, 'PAYLOAD_TOO_LARGE'],
  ])('%s is refused, and nothing of it is kept', async (_name, hostile, status, code) => {
    expect(await send(hostile())).toEqual({ status, code });
    const { events, inbound } = await ingress.enqueued();
    expect([events, inbound]).toEqual([[], []]);
  });

  it.each<[string, () => Hostile, Partial<StatusEvent>]>([
    ['NUL in a text', () => ({ body: formWith('ChannelStatusMessage=a%00b') }), { channelStatusMessage: 'ab' }],
    ['NUL in the status', () => ({ body: formWith('', { MessageStatus: 'deliv\0ered' }) }), { rawStatus: 'delivered' }],
    ['NUL in the query', () => ({ body: formWith(''), path: '/webhooks/twilio/status?m=%00&a=%00' }), { messageId: null, attempt: null }],
    ['a query that is no percent-encoding', () => ({ body: formWith(''), path: '/webhooks/twilio/status?m=%zz&a=1' }), { messageId: null }],
    ['a lone surrogate', () => ({ body: formWith('ChannelStatusMessage=a%ED%A0%80b') }), { channelStatusMessage: 'a\uFFFD\uFFFD\uFFFDb' }],
    [
      'bytes that are no UTF-8',
      () => ({ body: bytesWith('ChannelStatusMessage', [0xff, 0xc3]) }),
      { channelStatusMessage: 'a\uFFFD\uFFFDb' },
    ],
    ['the same in percents', () => ({ body: formWith('ChannelStatusMessage=a%FFb') }), { channelStatusMessage: 'a\uFFFDb' }],
    ['a parameter twice', () => ({ body: formWith('MessageStatus=read&From=x') }), { rawStatus: 'delivered' }],
    ['a parameter 500 times', () => ({ body: formWith(Array(500).fill('MessageStatus=read').join('&')) }), { rawStatus: 'delivered' }],
    ['an id of ours twice', () => ({ body: formWith(''), path: `${statusPath()}&m=x&a=2` }), { messageId: null, attempt: null }],
    ['exactly 1,000 parameters', () => manyParameters(1_000), { rawStatus: 'delivered' }],
    ['names of object internals', () => ({ body: formWith('__proto__=1&constructor=2&toString=3') }), { rawStatus: 'delivered' }],
    ['a code that is none', () => ({ body: formWith('ErrorCode=99999999999999999999') }), { errorCode: null }],
    [
      'a text of 8,000 characters',
      () => ({ body: formWith(`ChannelStatusMessage=${'é'.repeat(8_000)}`) }),
      { channelStatusMessage: 'é'.repeat(1_024) },
    ],
    [
      'another character set',
      () => ({ body: formWith(''), headers: { 'content-type': `${FORM}; charset=utf-16` } }),
      { rawStatus: 'delivered' },
    ],
    ['an identity encoding', () => ({ body: formWith(''), headers: { 'content-encoding': 'identity' } }), { rawStatus: 'delivered' }],
    ['the body in chunks', () => chunked(formWith('')), { rawStatus: 'delivered' }],
    ['a whole URL in its request line', () => absolute(), { rawStatus: 'delivered' }],
  ])('with %s is taken, and harmless in the queue', async (_name, hostile, event) => {
    expect(await send(hostile())).toEqual({ status: 204, code: null });
    const { events } = await ingress.enqueued();
    expect(events).toMatchObject([event]);
    for (const text of Object.values(events[0] ?? {})) {
      if (typeof text === 'string') expect([text.includes('\0'), text.isWellFormed()]).toEqual([false, true]);
    }
  });

  it('that is replayed is taken again, as the same event', async () => {
    const bytes = requestOf({ body: formWith('') });
    const answers = [await sendRaw(ingress.url, bytes), await sendRaw(ingress.url, bytes), await sendRaw(ingress.url, bytes)];
    expect(answers.map(({ status }) => status)).toEqual([204, 204, 204]);
    const { events } = await ingress.enqueued();
    const seen = events.map(({ receivedAt: _at, ...event }) => event);
    expect(seen).toEqual([seen[0], seen[0], seen[0]]);
  });

  it('of another account or route is refused also with a URL in its request line', async () => {
    expect(await send({ ...absolute(), token: randomToken() })).toEqual({ status: 403, code: 'INVALID_SIGNATURE' });
    const { path, ...rest } = absolute();
    expect(await send({ ...rest, path: `${path}&a=9` })).toEqual({ status: 403, code: 'INVALID_SIGNATURE' });
    expect((await ingress.enqueued()).events).toEqual([]);
  });

  it('of a person who writes NUL and broken characters is taken without them', async () => {
    const body = `${encodeForm({ MessageSid: randomSid('SM'), From: 'whatsapp:US.a', To: 'whatsapp:US.b', AccountSid: ingress.accountSid })}&Body=a%00%ED%A0%80b&ProfileName=%00`;
    expect((await send({ body, path: '/webhooks/twilio/inbound' })).status).toBe(200);
    expect((await ingress.enqueued()).inbound).toMatchObject([{ body: 'a\uFFFD\uFFFD\uFFFDb', profileName: null }]);
  });
});

function twice(body: string): Hostile {
  const path = statusPath();
  const signature = signRequest({ token: ingress.authTokens[0], url: ingress.publicBaseUrl + path, params: parseForm(body) });
  return { body, path, headers: { 'x-twilio-signature': [signature, signature] } };
}

/** Signed over all of them, as Twilio would. */
function manyParameters(count: number): Hostile {
  const own = statusCallback(ingress);
  const more = Object.fromEntries(Array.from({ length: count - Object.keys(own).length }, (_, index) => [`p${index}`, '']));
  return { body: encodeForm({ ...own, ...more }), signed: { ...own, ...more } };
}

function packed(body: string): Hostile {
  return { body: gzipSync(body), signed: parseForm(body), headers: { 'content-encoding': 'gzip' } };
}

function chunked(body: string): Hostile {
  const chunks = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  return { body: chunks, signed: parseForm(body), headers: { 'transfer-encoding': 'chunked', 'content-length': null } };
}

function absolute(): Hostile {
  const path = statusPath();
  return { body: formWith(''), path, target: `http://whoever.example${path}` };
}
