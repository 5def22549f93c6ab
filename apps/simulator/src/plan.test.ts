import { describe, expect, test } from 'vitest';
import { behaviourOf } from './magic-recipients.ts';
import { planMessage, type PlanInput } from './plan.ts';
import { parseSettings } from './settings.ts';

const DELAYS = { queued: 1, sending: 2, sent: 3, delivered: 4, read: 5 };
const plan = (input: Partial<PlanInput> = {}, settings: object = {}) =>
  planMessage(
    {
      fate: 1,
      behaviour: {},
      template: true,
      viaService: false,
      windowOpen: false,
      queueWaitMs: 0,
      validityPeriodSeconds: null,
      ...input,
    },
    parseSettings(JSON.stringify({ statusDelayMs: DELAYS, ...settings })),
  );
const words = (planned: ReturnType<typeof planMessage>) =>
  planned.steps.map(
    ({ status, callback, errorCode, delayMs }) =>
      `${status}${callback === status ? '!' : ` ${callback}`}${errorCode === null ? '' : ` ${errorCode}`} +${delayMs}`,
  );

describe('planMessage', () => {
  test('an ordinary message is sent, delivered and read; sending is told by no callback', () => {
    expect(words(plan())).toEqual(['sending null +2', 'sent! +3', 'delivered! +4', 'read! +5']);
  });

  test('a message of a service is queued first, with a callback', () => {
    expect(words(plan({ viaService: true }))[0]).toBe('queued! +1');
  });

  test('free text outside the window fails with 63016, unless the guard is off or the window open', () => {
    const outside = ['sending null +2', 'failed! 63016 +3'];
    expect(words(plan({ template: false }))).toEqual(outside);
    expect(words(plan({ template: false, windowOpen: true }))).toHaveLength(4);
    expect(words(plan({ template: false }, { windowGuard: false }))).toHaveLength(4);
  });

  test('a recipient that stands for a code gives it whether the window is open or not', () => {
    for (const windowOpen of [true, false]) {
      const behaviour = behaviourOf('whatsapp:+15005563003');
      expect(words(plan({ template: false, windowOpen, behaviour }))).toEqual(['sending null +2', 'sent! +3', 'undelivered! 63003 +4']);
    }
  });

  test('63049 meets templates only', () => {
    const behaviour = behaviourOf('whatsapp:+15005563049');
    expect(words(plan({ behaviour })).at(-1)).toBe('undelivered! 63049 +4');
    expect(words(plan({ behaviour, template: false, windowOpen: true })).at(-1)).toBe('read! +5');
  });

  test('a word that Twilio does not have is told by a callback and changes no status', () => {
    expect(words(plan({ behaviour: behaviourOf('whatsapp:+15005500014') }))[2]).toBe('null transmitted +3');
  });

  test('a recipient may leave a message queued for ever', () => {
    const behaviour = behaviourOf('whatsapp:+15005500004');
    expect(words(plan({ behaviour }))).toEqual([]);
    expect(words(plan({ behaviour, viaService: true }))).toEqual(['queued! +1']);
  });

  test('time in the sender’s queue comes before sending', () => {
    expect(words(plan({ queueWaitMs: 500 }))[0]).toBe('sending null +502');
  });

  test('a message that waits longer than it is valid fails with 30036 when its time is over', () => {
    expect(words(plan({ queueWaitMs: 6000, validityPeriodSeconds: 5 }))).toEqual(['failed! 30036 +5000']);
    expect(words(plan({ queueWaitMs: 5000, validityPeriodSeconds: 5 }))).toHaveLength(4);
  });

  test('a service whose queue is full fails with 30001', () => {
    expect(words(plan({ queueWaitMs: null, viaService: true }))).toEqual(['queued! +1', 'failed! 30001 +2']);
  });

  test('shares of the settings choose callbacks by the fate, all of them at 1 and none at 0', () => {
    for (const share of [0, 1]) {
      const { steps, ...planned } = plan({}, { callbacks: { duplicate: share, drop: share, reorder: share, beforeAnswer: share } });
      expect(steps.map((step) => planned.drop(step))).toEqual(steps.map(() => share === 1));
      expect(steps.map((step) => planned.duplicate(step))).toEqual(steps.map(() => share === 1));
      expect([planned.reorder, planned.beforeAnswer]).toEqual([share === 1, share === 1]);
    }
  });

  test('one seed makes one plan, another seed another one', () => {
    const droppedOf = (seed: number) =>
      Array.from({ length: 200 }, (_, fate) => {
        const planned = plan({ fate }, { seed, callbacks: { drop: 0.3 } });
        return planned.steps.filter((step) => planned.drop(step)).map(({ callback }) => `${fate} ${callback}`);
      }).flat();
    expect(droppedOf(1)).toEqual(droppedOf(1));
    expect(droppedOf(1)).not.toEqual(droppedOf(2));
    expect(droppedOf(1).length / 800).toBeGreaterThan(0.2);
    expect(droppedOf(1).length / 800).toBeLessThan(0.4);
  });
});
