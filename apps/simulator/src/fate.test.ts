import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { chanceOf, fateOf } from './fate.ts';

describe('chanceOf', () => {
  test('one seed, identity and decision always give the same share', () => {
    expect(chanceOf(7, fateOf('a/1'), 'drop')).toBe(chanceOf(7, fateOf('a/1'), 'drop'));
  });

  test('seed, identity and decision each change the share', () => {
    const shares = [
      chanceOf(7, fateOf('a/1'), 'drop'),
      chanceOf(8, fateOf('a/1'), 'drop'),
      chanceOf(7, fateOf('a/2'), 'drop'),
      chanceOf(7, fateOf('a/1'), 'duplicate'),
    ];
    expect(new Set(shares).size).toBe(4);
  });

  test('shares are spread evenly, also over ids that count up', () => {
    for (const identity of [(index: number) => `${randomUUID()}/${index}`, (index: number) => `whatsapp:+15005500001#${index}`]) {
      const hits = Array.from({ length: 20_000 }, (_, index) => chanceOf(3, fateOf(identity(index)), 'x')).filter((share) => share < 0.1);
      expect(hits.length).toBeGreaterThan(1_800);
      expect(hits.length).toBeLessThan(2_200);
    }
  });
});
