import type { StopTarget } from '@tickmark/delivery';
import { openSendControl } from '@tickmark/queues';
import { captureLogger, testRedis } from '@tickmark/testing';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { watchShares } from './watch-shares.ts';

const redis = testRedis();
const control = openSendControl({ ...redis, concurrencyMax: 1, log: captureLogger().log });
afterAll(async () => {
  await control.close();
  await redis.dropAll();
});

let tooMany: [StopTarget, number][];
let stopped: string | null;
beforeEach(() => {
  tooMany = [];
  stopped = null;
});

const shares = watchShares({
  failures: control.failures,
  isStopped: ({ target }) => target === stopped,
  onTooMany: (target, errorCode) => tooMany.push([target, errorCode]),
});

const ended = (campaign: string, count: number, errorCode: number | null) =>
  Array.from({ length: count }, () => ({ sender: 'support', template: null, campaign, errorCode }));

it('what ends badly in several batches at once is counted together, and nothing else', async () => {
  await Promise.all([
    shares.finished(ended('autumn', 9, 63049)),
    shares.finished(ended('autumn', 11, 63049)),
    shares.finished(ended('winter', 19, 63049)),
    shares.finished(ended('spring', 40, null)),
    shares.finished(ended('spring', 10, 63049)),
  ]);
  expect(tooMany).toEqual([[{ scope: 'campaign', target: 'autumn' }, 63049]]);
});

it('what ended under a stop does not close again what is let go before it is counted', async () => {
  // While these are counted, the others wait for their turn.
  const first = shares.finished(ended('other', 1, null));
  stopped = 'summer';
  const under = shares.finished(ended('summer', 30, 63049));
  stopped = null;
  await Promise.all([first, under, shares.finished(ended('summer', 19, 63049))]);
  expect(tooMany).toEqual([]);
});
