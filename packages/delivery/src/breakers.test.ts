import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { endBreakerSoon, openBreaker, takeProbe, type OpenBreaker } from './breakers.ts';
import { claimForSending } from './claim-for-sending.ts';
import { CLAIM_RULES, deliveryRoom, valuesOf } from './fixtures/delivery-room.ts';
import { listStops, openStop } from './send-stops.ts';

const room = deliveryRoom();
afterEach(async () => {
  await room.db.sql`TRUNCATE send_stops, audit_log, whatsapp_messages`;
});

const SENDER = { scope: 'sender', target: 'support' } as const;
const ACCOUNT = { scope: 'account', target: CLAIM_RULES.account } as const;
const PAUSE = { firstMs: 30_000, longestMs: 3_600_000, quietMs: 3_600_000 };

const open = (breaker: Partial<OpenBreaker> = {}) =>
  openBreaker(room.db, { ...SENDER, errorCode: 63018, reason: 'a limit', pause: PAUSE, ...breaker });
const counting = async () =>
  (await listStops(room.db)).map(({ scope, level, remainingMs }) => ({ scope, level, ends: remainingMs !== null }));
/** Makes the breakers' pauses end so long ago. */
const endedAgo = (seconds: number) => room.db.sql`UPDATE send_stops SET until = now() - ${seconds} * interval '1 second'`;
const openedAgo = (seconds: number) =>
  room.db
    .sql`UPDATE send_stops SET opened_at = opened_at - ${seconds} * interval '1 second', probed_at = probed_at - ${seconds} * interval '1 second'`;

describe('a growing pause', () => {
  it('doubles each time that it was not enough, up to its longest', async () => {
    const pauses: number[] = [];
    for (let times = 0; times < 10; times += 1) {
      const opened = await open();
      pauses.push(Math.round((opened?.forMs ?? 0) / 1000));
      expect(opened?.level).toBe(times);
      await endedAgo(1);
    }
    expect(pauses).toEqual([30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
  });

  it('begins anew after a quiet time', async () => {
    await open();
    await endedAgo(3_500);
    expect(await open()).toMatchObject({ level: 1 });
    await endedAgo(3_601);
    expect(await open()).toMatchObject({ level: 0 });
  });

  it('grows once for all failures of one moment', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => open()));
    expect(answers.filter((answer) => answer !== null)).toHaveLength(1);
    expect(await open()).toBeNull();
    expect(await counting()).toEqual([{ scope: 'sender', level: 0, ends: true }]);
  });

  it('becomes one that waits for a repair, but not the other way round', async () => {
    await open();
    expect(await open({ errorCode: 63007, pause: null })).toMatchObject({ forMs: null });
    expect(await open()).toBeNull();
    expect(await counting()).toEqual([{ scope: 'sender', level: 0, ends: false }]);
  });

  it('leaves an operator’s stop of the same target alone', async () => {
    await openStop(room.db, { ...SENDER, actor: 'ann', forMs: null });
    await open();
    expect(await counting()).toHaveLength(2);
  });
});

describe('a breaker that waits for a repair', () => {
  it('lets one process try it, once in a while', async () => {
    await open({ pause: null });
    expect(await takeProbe(room.db, SENDER, 300_000)).toBe(false);
    await openedAgo(301);
    const turns = await Promise.all(Array.from({ length: 8 }, () => takeProbe(room.db, SENDER, 300_000)));
    expect(turns.filter(Boolean)).toHaveLength(1);
    await openedAgo(299);
    expect(await takeProbe(room.db, SENDER, 300_000)).toBe(false);
    await openedAgo(2);
    expect(await takeProbe(room.db, SENDER, 300_000)).toBe(true);
  });

  it('is not tried while it is a pause, nor without a breaker', async () => {
    expect(await takeProbe(room.db, SENDER, 0)).toBe(false);
    await open();
    expect(await takeProbe(room.db, SENDER, 0)).toBe(false);
    await openStop(room.db, { ...ACCOUNT, actor: 'ann', forMs: null });
    expect(await takeProbe(room.db, ACCOUNT, 0)).toBe(false);
  });

  it('ends a while after its probe got through, and opens at once when a message fails meanwhile', async () => {
    await open({ pause: null });
    expect(await endBreakerSoon(room.db, SENDER, 30_000)).toBe(true);
    expect(await counting()).toEqual([{ scope: 'sender', level: 0, ends: true }]);
    expect(await open({ pause: null })).toMatchObject({ forMs: null });
    expect(await endBreakerSoon(room.db, SENDER, 0)).toBe(true);
    expect(await counting()).toEqual([]);
    expect(await endBreakerSoon(room.db, SENDER, 0)).toBe(false);
  });
});

describe('a probe', () => {
  const claim = async (probe: boolean) => {
    const { id } = await room.insert();
    const [answer] = valuesOf(await claimForSending(room.db, [{ id, token: randomUUID(), probe }], CLAIM_RULES));
    return answer?.kind;
  };

  it.each([
    ['its account', [ACCOUNT]],
    ['its sender', [SENDER]],
    ['both', [ACCOUNT, SENDER]],
  ])('passes the breakers of %s that wait for a repair and stop all others', async (_name, targets) => {
    for (const target of targets) await open({ ...target, pause: null });
    expect(await claim(false)).toBe('stopped');
    expect(await claim(true)).toBe('claimed');
  });

  it('passes no pause, and no stop of an operator', async () => {
    await open({ ...ACCOUNT, pause: null });
    await open();
    expect(await claim(true)).toBe('stopped');
    await room.db.sql`TRUNCATE send_stops`;
    await open({ pause: null });
    await openStop(room.db, { ...SENDER, actor: 'ann', forMs: null });
    expect(await claim(true)).toBe('stopped');
    await room.db.sql`TRUNCATE send_stops`;
    await open({ ...ACCOUNT, pause: null });
    await openStop(room.db, { scope: 'all', target: '*', actor: 'ann', forMs: null });
    expect(await claim(true)).toBe('stopped');
  });
});
