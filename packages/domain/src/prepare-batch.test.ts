import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { batchItemId, batchMarkId, messageIdFor } from './ids.ts';
import { batchAnswerSchema, batchRequestSchema, prepareBatchItem, readBatchItems } from './prepare-batch.ts';
import type { MessageContext } from './prepare-message.ts';
import { refuseBatchKey } from './request-key.ts';

const context: MessageContext = {
  producer: 'shop',
  aliases: null,
  policy: {
    mode: 'simulator',
    senders: [{ alias: 'support', address: 'whatsapp:+15550100200', mps: 80 }],
    allowedRecipients: () => undefined,
  },
  now: new Date('2030-01-01T00:00:00Z'),
};
const asked = { to: '+15550100300', body: 'hello' };
const refused = (code: string, path: string, message: string | RegExp) =>
  expect.objectContaining({ code, details: [{ path, message: typeof message === 'string' ? message : expect.stringMatching(message) }] });

describe('the envelope of a batch', () => {
  it('is read without a look into its items', () => {
    expect(readBatchItems({ messages: [null, 5, {}] })).toEqual([null, 5, {}]);
    expect(readBatchItems({ messages: Array(1_000).fill(0) })).toHaveLength(1_000);
  });

  it.each([
    [null, '', 'must be an object with the property messages'],
    [[], '', 'must be an object with the property messages'],
    [{}, 'messages', 'must be a list of messages'],
    [{ messages: {} }, 'messages', 'must be a list of messages'],
    [{ messages: [] }, 'messages', 'must hold at least one message'],
    [{ messages: Array(1_001).fill(0) }, 'messages', /at most 1000 messages/],
    [{ messages: [0], sender: 'x' }, 'sender', 'is not a known property: leave it out'],
  ])('%# is refused with what is wrong', (input, path, message) => {
    expect(() => readBatchItems(input)).toThrow(refused('VALIDATION_FAILED', path, message));
  });
});

describe('an item of a batch', () => {
  const idOf = (item: object, batchKey?: string) => prepareBatchItem({ ...asked, ...item }, { index: 7, batchKey }, context);

  it('is prepared as the same message alone', () => {
    const { message } = idOf({ idempotencyKey: 'k' });
    expect(message).toMatchObject({ recipient: 'whatsapp:+15550100300', body: 'hello', producer: 'shop' });
    expect(message.requestHash).toBe(idOf({}).message.requestHash);
  });

  it('has the id of its own key, else of the batch and its place, else a fresh one', () => {
    const own = '01926f3e-7a11-7c3d-9d0a-5b8f2f0a6c11';
    expect(idOf({ idempotencyKey: 'own' }, 'k')).toMatchObject({ keyGiven: true, message: { id: messageIdFor('shop', 'own') } });
    expect(idOf({ idempotencyKey: `id:${own}` }, 'k')).toMatchObject({ keyGiven: true, message: { id: own } });
    expect(idOf({}, 'k')).toMatchObject({ keyGiven: true, message: { id: messageIdFor('shop', 'k/7') } });
    expect(idOf({}).keyGiven).toBe(false);
    expect(idOf({}).message.id).not.toBe(idOf({}).message.id);
  });

  it.each([null, 5, {}])('with the key %j is refused', (idempotencyKey) => {
    expect(() => idOf({ idempotencyKey })).toThrow(refused('VALIDATION_FAILED', 'idempotencyKey', 'must be a string'));
  });

  it.each(['', 'id:17', 'x'.repeat(256)])('with the unusable key "%s" is refused', (idempotencyKey) => {
    expect(() => idOf({ idempotencyKey })).toThrow(refused('VALIDATION_FAILED', 'idempotencyKey', /./));
  });

  it.each([null, [], 'x', 5])('that is no message (%j) is refused', (input) => {
    expect(() => prepareBatchItem(input, { index: 0, batchKey: 'k' }, context)).toThrow(
      refused('VALIDATION_FAILED', '', 'must be an object'),
    );
  });
});

describe('the key of a batch', () => {
  it('gives items the ids of single messages, and marks the batch apart from every message', () => {
    expect(batchItemId('shop', 'k', 3)).toBe(messageIdFor('shop', 'k/3'));
    expect(batchMarkId('shop', 'k')).not.toBe(messageIdFor('shop', 'k'));
    expect(batchMarkId('shop', 'k')).not.toBe(batchMarkId('mail', 'k'));
  });

  it.each([
    ['', /1 to 255/],
    ['x'.repeat(256), /1 to 255/],
    ['id:01926f3e-7a11-7c3d-9d0a-5b8f2f0a6c11', /names one message/],
    ['\ud800', /lone surrogates/],
  ])('may not be "%s"', (key, message) => {
    expect(() => refuseBatchKey(key, 'Idempotency-Key')).toThrow(refused('VALIDATION_FAILED', 'Idempotency-Key', message));
  });
});

it('what a batch takes and answers can be described by OpenAPI', () => {
  const request = z.toJSONSchema(batchRequestSchema, { io: 'input' });
  expect(request).toMatchObject({
    properties: { messages: { maxItems: 1_000, items: { properties: { idempotencyKey: {} }, required: ['to'] } } },
  });
  expect(z.toJSONSchema(batchAnswerSchema)).toMatchObject({ required: ['results', 'accepted', 'rejected'] });
});
