import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createFaults } from './faults.ts';
import { parseSettings } from './settings.ts';

const withFaults = (faults: object[], seed = 1) => createFaults(() => parseSettings(JSON.stringify({ seed, faults })));
const TO = 'whatsapp:US.someone';

describe('pick', () => {
  test('without rules nothing happens', () => {
    const faults = withFaults([]);
    expect(faults.pick({ m: 'm', a: 1, to: TO }, 1)).toBeNull();
  });

  test('every n-th call and every call to one recipient meet their fault; the first rule that fits decides', () => {
    const faults = withFaults([
      { kind: 'unauthorized', to: 'whatsapp:US.other' },
      { kind: 'throttle', every: 3 },
    ]);
    const picked = ['a', 'b', 'c', 'd', 'e', 'f'].map((m) => faults.pick({ m, a: 1, to: m === 'f' ? 'whatsapp:US.other' : TO }, 1));
    expect(picked).toEqual([null, null, 'throttle', null, null, 'unauthorized']);
  });

  test('a share meets the same messages in any order of arrival, and another seed others', () => {
    const ids = Array.from({ length: 1000 }, () => randomUUID());
    const victims = (seed: number, order: string[]) => {
      const faults = withFaults([{ kind: 'reset-after-create', share: 0.1 }], seed);
      return new Set(
        order.filter((m) => {
          const create = { m, a: 1, to: TO };
          return faults.pick(create, faults.fateOf(create)) !== null;
        }),
      );
    };
    const first = victims(1, ids);
    expect(first.size).toBeGreaterThan(60);
    expect(first.size).toBeLessThan(140);
    expect(victims(1, ids.toReversed())).toEqual(first);
    expect(victims(2, ids)).not.toEqual(first);
  });

  test('a second try has a fate of its own, so that a repeated call can succeed', () => {
    const faults = withFaults([]);
    expect(faults.fateOf({ m: 'm', a: 1, to: TO })).toBe(faults.fateOf({ m: 'm', a: 1, to: 'whatsapp:US.other' }));
    expect(faults.fateOf({ m: 'm', a: 1, to: TO })).not.toBe(faults.fateOf({ m: 'm', a: 2, to: TO }));
  });

  test('without a message id the n-th call to a recipient has the same fate again after a restart', () => {
    const faults = withFaults([]);
    const create = { m: null, a: null, to: TO };
    const fates = [faults.fateOf(create), faults.fateOf(create)];
    expect(fates[0]).not.toBe(fates[1]);
    faults.restart();
    expect([faults.fateOf(create), faults.fateOf(create)]).toEqual(fates);
  });

  test('a magic recipient fails the first tries of each message', () => {
    const faults = withFaults([]);
    const tries = (m: string) => [1, 2, 3].map((a) => faults.pick({ m, a, to: 'whatsapp:+15005542902' }, 1));
    expect(tries('m1')).toEqual(['throttle', 'throttle', null]);
    expect(tries('m2')).toEqual(['throttle', 'throttle', null]);
  });
});
