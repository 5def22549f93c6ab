import { describe, expect, test } from 'vitest';
import { DEFAULT_OVERRIDES, readOverrides } from './connection-overrides.ts';

describe('readOverrides', () => {
  test('without a fragment one retry follows a connection that did not come about, and nothing else', () => {
    expect(readOverrides('')).toEqual({
      connectTimeoutMs: 5000,
      readTimeoutMs: 15_000,
      totalTimeoutMs: 15_000,
      retriesMax: 1,
      retryOn: new Set(['ct']),
    });
    expect(readOverrides('#')).toEqual(DEFAULT_OVERRIDES);
  });

  test('the overrides that our URLs carry are read', () => {
    expect(readOverrides('#rc=5&rp=ct,rt,5xx&ct=2000&rt=4000')).toEqual({
      connectTimeoutMs: 2000,
      readTimeoutMs: 4000,
      totalTimeoutMs: 15_000,
      retriesMax: 5,
      retryOn: new Set(['ct', 'rt', '5xx']),
    });
  });

  test.each([
    ['#rc=6', 'retriesMax', 1],
    ['#rc=0', 'retriesMax', 0],
    ['#ct=99', 'connectTimeoutMs', 5000],
    ['#ct=10001', 'connectTimeoutMs', 5000],
    ['#rt=15000', 'readTimeoutMs', 15_000],
    ['#tt=60000', 'totalTimeoutMs', 15_000],
    ['#tt=1.5', 'totalTimeoutMs', 15_000],
    ['#tt=300', 'totalTimeoutMs', 300],
  ] as const)('%s leads to %s = %i', (fragment, field, value) => {
    expect(readOverrides(fragment)[field]).toBe(value);
  });

  test('an unknown word of the retry policy is left out, an empty policy retries nothing', () => {
    expect(readOverrides('#rp=5xx,soon').retryOn).toEqual(new Set(['5xx']));
    expect(readOverrides('#rp=').retryOn).toEqual(new Set());
    expect(readOverrides('#rc=2').retryOn).toEqual(new Set(['ct']));
  });
});
