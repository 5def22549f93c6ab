import { describe, expect, test } from 'vitest';
import { checkSettings, parseSettings } from './settings.ts';

const problemsOf = (input: unknown) => {
  const result = checkSettings(input);
  return result.ok ? [] : result.problems.map(({ path }) => path);
};

describe('checkSettings', () => {
  test('no settings at all are a Twilio without limits, faults or latency', () => {
    expect(checkSettings({})).toEqual({
      ok: true,
      settings: {
        seed: 1,
        latencyMs: 0,
        mps: {},
        concurrencyMax: null,
        faults: [],
        callbacks: { duplicate: 0, drop: 0, reorder: 0, beforeAnswer: 0 },
        windowGuard: true,
        queueSecondsMax: 14_400,
        statusDelayMs: { queued: 5, sending: 5, sent: 20, delivered: 60, read: 120 },
      },
    });
  });

  test('what was answered can be given back unchanged', () => {
    const first = checkSettings({ faults: [{ kind: 'throttle', every: 3 }], callbacks: { drop: true } });
    expect(checkSettings(JSON.parse(JSON.stringify(first.ok ? first.settings : null)))).toEqual(first);
  });

  test.each([
    ['an unknown property', { latency: 5 }, ['']],
    ['a share above 1', { callbacks: { drop: 2 } }, ['callbacks.drop']],
    ['an unknown kind of fault', { faults: [{ kind: 'explode', every: 1 }] }, ['faults.0.kind']],
    ['a fault without a choice of victims', { faults: [{ kind: 'throttle' }] }, ['faults.0']],
    ['a fault with two choices of victims', { faults: [{ kind: 'throttle', every: 1, share: 0.5 }] }, ['faults.0']],
    ['no messages per second at all', { mps: { 'whatsapp:+14155238886': 0 } }, ['mps.whatsapp:+14155238886']],
    ['several problems', { seed: -1, latencyMs: 'slow' }, ['seed', 'latencyMs']],
    ['no object', [], ['']],
  ])('%s is refused with the path of the problem', (_label, input, paths) => {
    expect(problemsOf(input)).toEqual(paths);
  });

  test('a recipient of a fault may be written without whatsapp:', () => {
    const result = checkSettings({ faults: [{ kind: 'throttle', to: '+15005500001' }] });
    expect(result.ok && result.settings.faults[0]?.to).toBe('whatsapp:+15005500001');
  });
});

describe('parseSettings', () => {
  test('reads JSON text', () => {
    expect(parseSettings('{"seed":7}').seed).toBe(7);
  });

  test('says what is wrong with a text that is no JSON, and with one of wrong content', () => {
    expect(() => parseSettings('{seed:7}')).toThrow(/not JSON/);
    expect(() => parseSettings('{"seed":"x","mps":[]}')).toThrow(/seed: .*; mps: /);
  });
});
