import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { v5, version } from 'uuid';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { externalMessageId, hashJson, hashJsonInTurns, ID_NAMESPACE, messageIdFor, newMessageId, retryMessageId } from './ids.ts';

describe('the id of an idempotency key', () => {
  // These vectors are the guarantee: with another namespace or derivation, a key repeated across an upgrade would send twice.
  it.each([
    ['shop', 'order-1', '9eb3efd9-fe2e-5e9b-8fbd-5e64fec453f5'],
    ['shop', 'k/0', 'a863bac2-297d-5980-a8e3-c3d62236b1ec'],
    ['shop', '', '954eb214-4f98-54cb-a3a8-e439cd1db89b'],
    ['café', 'ключ 😀', '447568fe-fb22-5b2f-8d9c-57c8a9a13ac4'],
  ])('of (%s, %s) never changes', (producer, key, id) => {
    expect(messageIdFor(producer, key)).toBe(id);
  });

  it('comes from one namespace constant that never changes', () => {
    expect(ID_NAMESPACE).toBe('6f1c0f9e-3b1d-5c57-9a52-7d1f6a3f2b10');
  });

  it('is the UUIDv5 of both parts, each with its length in bytes in front', () => {
    expect(messageIdFor('é', 'b')).toBe(v5('2:é1:b', ID_NAMESPACE));
  });

  it('differs wherever producer or key differ, however the border between them moves', () => {
    expect(messageIdFor('a', 'bc')).not.toBe(messageIdFor('ab', 'c'));
    expect(messageIdFor('a', '1:b')).not.toBe(messageIdFor('a1:', 'b'));
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), fc.string(), (p1, k1, p2, k2) => {
        fc.pre((p1 !== p2 || k1 !== k2) && !k1.startsWith('id:') && !k2.startsWith('id:'));
        expect(messageIdFor(p1, k1)).not.toBe(messageIdFor(p2, k2));
      }),
    );
  });

  it('is taken verbatim behind "id:", in lower case', () => {
    expect(messageIdFor('shop', 'id:0192F3C4-0000-7000-8000-00000000ABCD')).toBe('0192f3c4-0000-7000-8000-00000000abcd');
  });

  it.each([
    'id:',
    'id:x',
    'id: 0192f3c4-0000-7000-8000-00000000abcd',
    'id:0192f3c4-0000-7000-8000-00000000abcd ',
    'id:0192f3c400007000800000000000abcd',
  ])('is refused for "%s": the prefix is reserved', (key) => {
    expect(messageIdFor('shop', key)).toBeNull();
  });

  it('treats a prefix in another case as an ordinary key', () => {
    expect(version(messageIdFor('shop', 'ID:x') ?? '')).toBe(5);
  });

  it('is refused for keys with lone surrogates, which would all lead to one id', () => {
    expect(messageIdFor('shop', 'a\ud800')).toBeNull();
    expect(messageIdFor('shop', 'a\udfff')).toBeNull();
  });

  it('is always one that the queue payloads accept', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.oneof(
          fc.string(),
          fc.uuid().map((id) => `id:${id}`),
        ),
        (producer, key) => {
          const id = messageIdFor(producer, key);
          expect(id === null || z.uuid().safeParse(id).success).toBe(true);
        },
      ),
    );
  });
});

describe('other ids', () => {
  it('of external messages and retries never change', () => {
    expect(externalMessageId('SM00000000000000000000000000000001')).toBe('051c2604-406c-52b1-878f-d396d9d61cec');
    expect(retryMessageId('0192f3c4-0000-7000-8000-00000000abcd')).toBe('45179daf-d27a-579d-8a35-0aaee2bd3a90');
  });

  it('of external messages are derived from any text without throwing', () => {
    expect(version(externalMessageId('SM\ud800'))).toBe(5);
  });

  it('of messages without a key follow time and never repeat', () => {
    const ids = Array.from({ length: 1000 }, newMessageId);
    expect(new Set(ids).size).toBe(1000);
    expect(ids.toSorted()).toEqual(ids);
    expect(new Set(ids.map(version))).toEqual(new Set([7]));
  });
});

describe('hashJson', () => {
  it('never changes: the hash of a row that is stored must still match', () => {
    const value = { to: 'whatsapp:+15550100', body: 'é😀', metadata: { b: '2', a: '1', 10: 'x', 9: 'y' }, list: [1, null, true] };
    const canonical = '{"body":"é😀","list":[1,null,true],"metadata":{"10":"x","9":"y","a":"1","b":"2"},"to":"whatsapp:+15550100"}';
    expect(hashJson(value)).toBe(createHash('sha256').update(canonical).digest('hex'));
  });

  it('is equal for equal values, in whatever order their properties came', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(hashJson(reverseProperties(value))).toBe(hashJson(value));
      }),
    );
  });

  it('differs for values that differ', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        const sameJson = JSON.stringify(sortProperties(a)) === JSON.stringify(sortProperties(b));
        expect(hashJson(a) === hashJson(b)).toBe(sameJson);
      }),
    );
  });

  it('counts a property that is undefined as absent', () => {
    expect(hashJson({ a: 1, b: undefined })).toBe(hashJson({ a: 1 }));
  });

  it('takes values that are nested deeper than the call stack, and looks into many more levels than a message has', () => {
    const deep = (levels: number, inner: number) => JSON.parse('[{"a":'.repeat(levels) + inner + '}]'.repeat(levels)) as unknown;
    expect(hashJson(deep(300_000, 1))).toHaveLength(64);
    expect(hashJson(deep(15, 1))).not.toBe(hashJson(deep(15, 2)));
  });

  it('is the same in turns, of which a large value takes several', async () => {
    let turns = 0;
    const inTurns = (value: unknown) => hashJsonInTurns(value, async () => void (turns += 1));
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (value) => {
        expect(await inTurns(value)).toBe(hashJson(value));
      }),
    );
    turns = 0;
    const large = { messages: Array.from({ length: 1_000 }, (_, index) => ({ body: 'é😀'.repeat(300), index })) };
    expect(await inTurns(large)).toBe(hashJson(large));
    expect(turns).toBeGreaterThan(10);
  });

  it('keeps the order of lists and own properties with odd names', () => {
    expect(hashJson([1, 2])).not.toBe(hashJson([2, 1]));
    expect(hashJson(JSON.parse('{"__proto__":"a"}'))).not.toBe(hashJson({}));
  });
});

function mapObjects(value: unknown, reorder: (entries: [string, unknown][]) => [string, unknown][]): unknown {
  if (Array.isArray(value)) return value.map((item) => mapObjects(item, reorder));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(reorder(Object.entries(value).map(([name, inner]) => [name, mapObjects(inner, reorder)])));
}

const reverseProperties = (value: unknown) => mapObjects(value, (entries) => entries.toReversed());
const sortProperties = (value: unknown) => mapObjects(value, (entries) => entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
