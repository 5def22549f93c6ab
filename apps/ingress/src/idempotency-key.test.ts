import { messageIdFor } from '@tickmark/domain';
import { describe, expect, it } from 'vitest';
import { readIdempotencyKey } from './idempotency-key.ts';

describe('readIdempotencyKey', () => {
  it('gives a request without a key a fresh id each time', () => {
    const [first, second] = [readIdempotencyKey('shop', undefined), readIdempotencyKey('shop', undefined)];
    expect(first).toEqual({ id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/), given: false });
    expect(first.id).not.toBe(second.id);
  });

  it.each(['k', 'order 17/2', 'x'.repeat(255)])('derives the id from producer and key %s', (key) => {
    expect(readIdempotencyKey('shop', key)).toEqual({ id: messageIdFor('shop', key), given: true });
  });

  it('reads a key beyond ASCII as the text that was sent, in UTF-8 or in Latin-1', () => {
    const sent = (encoding: BufferEncoding) => Buffer.from('Bestellung für Ada', encoding).toString('latin1');
    for (const encoding of ['utf8', 'latin1'] as const) {
      expect(readIdempotencyKey('shop', sent(encoding)).id).toBe(messageIdFor('shop', 'Bestellung für Ada'));
    }
  });

  it('takes the id behind the reserved prefix as it is', () => {
    const id = '01926f3e-7a11-7c3d-9d0a-5b8f2f0a6c11';
    expect(readIdempotencyKey('shop', `id:${id}`)).toEqual({ id, given: true });
  });

  it.each(['', 'x'.repeat(256), 'id:', 'id:17'])('refuses "%s"', (key) => {
    expect(() => readIdempotencyKey('shop', key)).toThrow(expect.objectContaining({ code: 'VALIDATION_FAILED' }));
  });
});
