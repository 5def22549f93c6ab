import { captureLogger, randomToken } from '@tickmark/testing';
import { afterEach, expect, test } from 'vitest';
import { startScriptedTwilio, type Script } from './fixtures/scripted-twilio.ts';
import { createMessageRedactor } from './redact-message.ts';

const ACCOUNT = `AC${'0'.repeat(32)}`;
const SID = `SM${'a'.repeat(32)}`;
const MEDIUM = `ME${'b'.repeat(32)}`;
const MESSAGE = `/2010-04-01/Accounts/${ACCOUNT}/Messages/${SID}`;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function redact(script: Script) {
  const twilio = await startScriptedTwilio(script);
  const logger = captureLogger();
  const api = { accountSid: ACCOUNT, apiKeySid: `SK${'1'.repeat(32)}`, apiKeySecret: { reveal: randomToken }, baseUrl: twilio.baseUrl };
  const redactor = createMessageRedactor({ ...api, requestsPerSecond: 1_000, log: logger.log });
  cleanups.push(
    () => twilio.close(),
    () => redactor.close(),
  );
  return { answer: await redactor.redact(SID), requests: twilio.requests, log: logger.text() };
}

const json =
  (status: number, body: object): Script =>
  (response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

test('the text goes by an empty body, and each medium is deleted', async () => {
  const { answer, requests } = await redact((response, request, socket) => {
    if (request.method === 'DELETE') response.writeHead(204).end();
    else if (request.method === 'GET') json(200, { media_list: [{ sid: MEDIUM }], page: 0, page_size: 20 })(response, request, socket);
    else json(200, { sid: SID, body: '', num_media: '1' })(response, request, socket);
  });
  expect(answer).toBe('redacted');
  expect(requests.map(({ method, url }) => `${method} ${url.split('?')[0]}`)).toEqual([
    `POST ${MESSAGE}.json`,
    `GET ${MESSAGE}/Media.json`,
    `DELETE ${MESSAGE}/Media/${MEDIUM}.json`,
  ]);
  expect(requests[0]?.form.get('Body')).toBe('');
});

test.each([
  ['gone', 'a message that Twilio does not have', json(404, { code: 20404, message: 'x', status: 404 })],
  ['refused', 'a message that is not final', json(400, { code: 20009, message: 'x', status: 400 })],
  ['failed', 'a key that may not', json(403, { code: 20403, message: 'x', status: 403 })],
  ['failed', 'a 404 of somebody in between', json(404, {})],
  ['failed', 'an outage', json(500, {})],
])('%s: %s', async (expected, _name, script) => {
  const { answer } = await redact(script);
  expect(answer).toBe(expected);
});
