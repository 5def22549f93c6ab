import { describe, expect, it } from 'vitest';
import { externalMessageId, messageIdFor, newMessageId, retryMessageId } from './ids.ts';
import { findNameProblem } from './producer-names.ts';

describe('the name of a producer', () => {
  it.each(['shop', 'Shop-2', 'a', 'a.b_c', 'x'.repeat(64), 'externals'])('may be %s', (name) => {
    expect(findNameProblem(name)).toBeNull();
  });

  it.each(['', ' shop', 'my shop', 'shöp', '-shop', 'a:b', 'x'.repeat(65)])('may not be "%s", which is no name', (name) => {
    expect(findNameProblem(name)).toContain('1 to 64 letters');
  });

  it('is none under which a key would lead to an id that the system derives', () => {
    const original = newMessageId();
    expect(messageIdFor('external', 'SM1')).toBe(externalMessageId('SM1'));
    expect(messageIdFor(original, 'retry')).toBe(retryMessageId(original));
    for (const name of ['external', original]) expect(findNameProblem(name)).toContain('must not be');
  });
});
