import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import type { PolledMessage } from '@tickmark/domain';
import { captureLogger, randomBody, randomPhone, randomToken, waitFor } from '@tickmark/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { answer, startScriptedTwilio, type Script } from './fixtures/scripted-twilio.ts';
import { createMessageLister, type MessageLister, type MessageListerOptions } from './list-messages.ts';

const ACCOUNT = `AC${'0'.repeat(32)}`;
const SINCE = new Date('2026-11-24T12:00:00Z');
const AFTER = 'Tue, 24 Nov 2026 12:00:05 +0000';
const BEFORE = 'Tue, 24 Nov 2026 11:59:59 +0000';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function start(script: Script, options: Partial<MessageListerOptions> = {}) {
  const twilio = await startScriptedTwilio(script);
  const logger = captureLogger();
  const lister = createMessageLister({
    accountSid: ACCOUNT,
    apiKeySid: `SK${'1'.repeat(32)}`,
    apiKeySecret: { reveal: () => 'a secret' },
    baseUrl: twilio.baseUrl,
    concurrency: 2,
    requestsPerSecond: 1_000,
    timeoutMs: 20_000,
    retryDelayMs: 1,
    log: logger.log,
    ...options,
  });
  cleanups.push(
    () => twilio.close(),
    () => lister.close(),
  );
  const query = { recipient: `whatsapp:${randomPhone()}`, senderAddress: `whatsapp:${randomPhone()}`, since: SINCE };
  return { twilio, lister, logger, query, list: (other: Partial<typeof query> = {}) => lister.list({ ...query, ...other }) };
}

const row = (fields: Record<string, unknown> = {}) => ({
  sid: `SM${'c'.repeat(32)}`,
  status: 'sent',
  error_code: null,
  body: 'Hello',
  from: 'whatsapp:+15550001111',
  messaging_service_sid: null,
  date_created: AFTER,
  date_sent: null,
  direction: 'outbound-api',
  ...fields,
});

/** Answers page after page; each but the last names the next one. */
const pages =
  (...contents: object[][]): Script =>
  (response, request, socket) => {
    const number = Number(new URL(request.url, 'http://x').searchParams.get('Page') ?? 0);
    const next = number + 1 < contents.length ? `/2010-04-01/Accounts/${ACCOUNT}/Messages.json?PageToken=PA&Page=${number + 1}` : null;
    answer(200, { messages: contents[number], next_page_uri: next })(response, request, socket);
  };

describe('what Twilio is asked', () => {
  test('recipient and sender, encoded, with our key, and no date: unsent messages have none', async () => {
    const { twilio, list, query } = await start(pages([]));
    expect(await list()).toEqual({ kind: 'listed', messages: [] });
    const url = new URL(twilio.requests[0]?.url ?? '', 'http://x');
    expect(twilio.requests[0]?.method).toBe('GET');
    expect(url.pathname).toBe(`/2010-04-01/Accounts/${ACCOUNT}/Messages.json`);
    expect(url.search).toContain('whatsapp%3A%2B');
    expect([...url.searchParams]).toEqual([
      ['To', query.recipient],
      ['From', query.senderAddress],
      ['PageSize', '50'],
    ]);
    const basic = Buffer.from(`SK${'1'.repeat(32)}:a secret`).toString('base64');
    expect(twilio.requests[0]?.headers.authorization).toBe(`Basic ${basic}`);
  });

  test('for a Messaging Service the recipient alone; its messages are chosen here', async () => {
    const service = `MG${'2'.repeat(32)}`;
    const { twilio, list } = await start(pages([row({ messaging_service_sid: service, from: null }), row({ sid: 'SM2' })]));
    expect(await list({ senderAddress: service })).toMatchObject({
      kind: 'listed',
      messages: [{ messagingServiceSid: service, from: null }],
    });
    expect(new URL(twilio.requests[0]?.url ?? '', 'http://x').searchParams.has('From')).toBe(false);
  });

  test('pages until one is older than the window as a whole; what is older is left out', async () => {
    const { twilio, list } = await start(
      pages(
        [row({ sid: 'SM1' }), row({ sid: 'SM2', date_created: BEFORE })],
        [row({ sid: 'SM3' })],
        [row({ date_created: BEFORE })],
        [row()],
      ),
    );
    expect(await list()).toMatchObject({ kind: 'listed', messages: [{ messageSid: 'SM1' }, { messageSid: 'SM3' }] });
    expect(twilio.requests).toHaveLength(3);
  });

  test('a bounded number of pages, beyond which nothing can be told', async () => {
    const { twilio, list } = await start(pages(...Array.from({ length: 30 }, () => [row()])));
    expect(await list()).toEqual({ kind: 'too_many' });
    expect(twilio.requests).toHaveLength(20);
  });
});

describe('what a sender sent in a period', () => {
  const PERIOD = { since: SINCE, until: new Date('2026-11-24T13:00:00Z') };
  const read = async (lister: MessageLister, senderAddress: string) => {
    const told: PolledMessage[] = [];
    const answered = await lister.listSent({ senderAddress, ...PERIOD }, (messages) => Promise.resolve(void told.push(...messages)));
    return { answered, sids: told.map(({ messageSid }) => messageSid), told };
  };

  test('is asked for by sender and time of sending, and told page by page, with the time of the last change', async () => {
    const updated = 'Tue, 24 Nov 2026 12:30:00 +0000';
    const { twilio, lister, query } = await start(
      pages([row({ sid: 'SM1', date_updated: updated })], [row({ sid: 'SM2', date_updated: null })]),
    );
    const { answered, sids, told } = await read(lister, query.senderAddress);
    expect([answered, sids]).toEqual([{ kind: 'listed' }, ['SM1', 'SM2']]);
    expect(told.map(({ updatedAt }) => updatedAt)).toEqual([new Date(updated), new Date(AFTER)]);
    expect(Object.fromEntries(new URL(twilio.requests[0]?.url ?? '', 'http://x').searchParams)).toEqual({
      From: query.senderAddress,
      'DateSent>': '2026-11-24T12:00:00Z',
      'DateSent<': '2026-11-24T13:00:00Z',
      PageSize: '100',
    });
    expect(twilio.requests).toHaveLength(2);
  });

  test('of a Messaging Service is chosen here', async () => {
    const service = `MG${'2'.repeat(32)}`;
    const { twilio, lister } = await start(pages([row({ sid: 'SM1', messaging_service_sid: service }), row({ sid: 'SM2' })]));
    expect(await read(lister, service)).toMatchObject({ sids: ['SM1'] });
    expect(new URL(twilio.requests[0]?.url ?? '', 'http://x').searchParams.has('From')).toBe(false);
  });

  test('is failed when a later page cannot be read, and what follows a page is not swallowed', async () => {
    const second: Script = (response, request, socket) =>
      request.url.includes('PageToken')
        ? answer(400, { code: 20001, message: 'x' })(response, request, socket)
        : pages([row()], [])(response, request, socket);
    const { lister, query } = await start(second);
    expect((await read(lister, query.senderAddress)).answered).toMatchObject({ kind: 'failed', failure: 'refused' });
    const { lister: other } = await start(pages([row()]));
    const full = () => Promise.reject(new Error('no room'));
    await expect(other.listSent({ senderAddress: query.senderAddress, ...PERIOD }, full)).rejects.toThrow('no room');
  });
});

describe('one message', () => {
  test('is read by its sid', async () => {
    const { twilio, lister } = await start(answer(200, row({ status: 'read', date_updated: AFTER })));
    expect(await lister.fetch('SM1')).toMatchObject({ kind: 'found', message: { rawStatus: 'read', updatedAt: new Date(AFTER) } });
    expect(twilio.requests[0]?.url).toBe(`/2010-04-01/Accounts/${ACCOUNT}/Messages/SM1.json`);
  });

  test('is gone only when Twilio itself says that there is none', async () => {
    const { lister } = await start(answer(404, { code: 20404, message: 'not found', status: 404 }));
    expect(await lister.fetch('SM1')).toEqual({ kind: 'gone' });
    const { lister: behindProxy } = await start(answer(404, { error: 'no route' }));
    expect(await behindProxy.fetch('SM1')).toMatchObject({ kind: 'failed', httpStatus: 404 });
  });
});

test('a row is told as plain values, with the hash of its text instead of the text', async () => {
  const body = `${randomBody()} ü 😀`;
  const { list } = await start(pages([row({ body, status: 'undelivered', error_code: 63024 })]));
  const told = await list();
  expect(told).toEqual({
    kind: 'listed',
    messages: [
      {
        messageSid: `SM${'c'.repeat(32)}`,
        rawStatus: 'undelivered',
        errorCode: 63024,
        contentSha256: createHash('sha256').update(body).digest('hex'),
        from: 'whatsapp:+15550001111',
        messagingServiceSid: null,
        createdAt: new Date('2026-11-24T12:00:05Z'),
        direction: 'outbound-api',
      },
    ],
  });
  expect(JSON.stringify(told)).not.toContain(body);
});

describe('a list that cannot be relied on is a failure, never an empty list', () => {
  test.each<[string, unknown, Partial<Record<string, unknown>>]>([
    ['wrong credentials', answer(401, { code: 20003, status: 401 }), { failure: 'refused', httpStatus: 401, errorCode: 20003 }],
    ['too many requests', answer(429, { code: 20429, status: 429 }), { failure: 'refused', httpStatus: 429, errorCode: 20429 }],
    ['no JSON', answer(200, '<html>'), { failure: 'unparsable', httpStatus: 200 }],
    ['JSON of another kind', answer(200, { hello: 1 }), { failure: 'unforeseen' }],
    ['a row without a sid', answer(200, { messages: [row({ sid: null })] }), { failure: 'unforeseen' }],
    ['a row without a date', answer(200, { messages: [row({ date_created: null })] }), { failure: 'unforeseen' }],
    ['a row with a date that is none', answer(200, { messages: [row({ date_created: 'someday' })] }), { failure: 'unforeseen' }],
  ])('%s', async (_name, script, expected) => {
    const { list } = await start(script as Script);
    expect(await list()).toMatchObject({ kind: 'failed', ...expected });
  });

  test('silence', async () => {
    const { list } = await start(() => {}, { timeoutMs: 300 });
    expect(await list()).toMatchObject({ kind: 'failed', failure: 'timeout' });
  });

  test('when a later page fails, nothing of the earlier ones is told', async () => {
    const { twilio, list } = await start((response, request, socket) =>
      (twilio.requests.length === 1 ? pages([row()], []) : answer(404, { code: 20404 }))(response, request, socket),
    );
    expect(await list()).toMatchObject({ kind: 'failed', httpStatus: 404 });
  });
});

test.each<[string, number, Script]>([
  ['a reset', 3, (_response, _request, socket) => socket.destroy()],
  ['a 503', 3, answer(503, '<html>')],
  ['a refusal', 1, answer(401, { code: 20003 })],
])('after %s the list is asked for %i times in all', async (_name, requests, script) => {
  const { twilio, list } = await start(script);
  expect(await list()).toMatchObject({ kind: 'failed' });
  expect(twilio.requests).toHaveLength(requests);
});

test('a request that failed once is made again and its list is whole', async () => {
  const { twilio, list } = await start((response, request, socket) =>
    twilio.requests.length === 1 ? socket.destroy() : pages([row()])(response, request, socket),
  );
  expect(await list()).toMatchObject({ kind: 'listed', messages: [{}] });
});

test('requests begin no faster than the budget, over all lists', async () => {
  const { list } = await start(pages([]), { requestsPerSecond: 20 });
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: 6 }, () => list()));
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(245);
});

test('closing ends lists under way and those that wait for their turn', async () => {
  const { twilio, lister, list, logger } = await start(() => {}, { requestsPerSecond: 1, timeoutMs: 20_000 });
  const lists = [list(), list()];
  await waitFor(() => twilio.requests.length === 1);
  lister.close();
  for (const told of await Promise.all(lists)) expect(told).toMatchObject({ kind: 'failed' });
  expect(logger.text()).toBe('');
});

test('neither answer nor log holds what was asked for, the key, or what was answered', async () => {
  const [secret, body, phone] = [randomToken(), randomBody(), randomPhone()];
  const scripts: Script[] = [
    answer(206, { messages: [row({ body, to: phone })] }),
    answer(200, { messages: [row({ body, to: phone, sid: null })] }),
    answer(500, `${body} ${phone} ${secret}`),
  ];
  for (const script of scripts) {
    const { list, logger, query } = await start(script, { apiKeySecret: { reveal: () => secret } });
    const shown = `${inspect(await list(), { depth: Infinity })}${logger.text()}`;
    expect(shown).toContain('failed');
    for (const needle of [secret, body, phone, query.recipient, encodeURIComponent(query.recipient)]) expect(shown).not.toContain(needle);
  }
});
