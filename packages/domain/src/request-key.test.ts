import { describe, expect, it } from 'vitest';
import { messageIdFor } from './ids.ts';
import { readRequestKey } from './request-key.ts';

const read = (key: string | undefined) => readRequestKey('shop', key, 'Idempotency-Key');

describe('readRequestKey', () => {
  it('gives a request without a key a fresh id each time', () => {
    const [first, second] = [read(undefined), read(undefined)];
    expect(first).toEqual({ id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/), given: false });
    expect(first.id).not.toBe(second.id);
  });

  it.each(['k', 'order 17/2', 'x'.repeat(255)])('derives the id from producer and key %s', (key) => {
    expect(read(key)).toEqual({ id: messageIdFor('shop', key), given: true });
  });

  it('takes the id behind the reserved prefix as it is', () => {
    const id = '01926f3e-7a11-7c3d-9d0a-5b8f2f0a6c11';
    expect(read(`id:${id}`)).toEqual({ id, given: true });
  });

  it.each([
    ['', 'must have 1 to 255 characters'],
    ['x'.repeat(256), 'must have 1 to 255 characters'],
    ['id:', /prefix id:/],
    ['id:17', /prefix id:/],
    ['a\ud800', 'must not contain lone surrogates'],
  ])('refuses "%s" and names what the caller calls it', (key, problem) => {
    const details = [{ path: 'Idempotency-Key', message: typeof problem === 'string' ? problem : expect.stringMatching(problem) }];
    expect(() => read(key)).toThrow(expect.objectContaining({ code: 'VALIDATION_FAILED', details }));
  });
});
