import { messageIdFor } from '@tickmark/domain';
import { describe, expect, it } from 'vitest';
import { readIdempotencyKey } from './idempotency-key.ts';

describe('readIdempotencyKey', () => {
  it('gives a request without the header a fresh id', () => {
    expect(readIdempotencyKey('shop', undefined)).toMatchObject({ given: false });
  });

  it('reads a key beyond ASCII as the text that was sent, in UTF-8 or in Latin-1', () => {
    const sent = (encoding: BufferEncoding) => Buffer.from('Bestellung für Ada', encoding).toString('latin1');
    for (const encoding of ['utf8', 'latin1'] as const) {
      expect(readIdempotencyKey('shop', sent(encoding))).toEqual({ id: messageIdFor('shop', 'Bestellung für Ada'), given: true });
    }
  });

  it('refuses a key that cannot be one under the name of the header', () => {
    const details = [{ path: 'Idempotency-Key', message: expect.any(String) }];
    expect(() => readIdempotencyKey('shop', 'id:17')).toThrow(expect.objectContaining({ code: 'VALIDATION_FAILED', details }));
  });
});
