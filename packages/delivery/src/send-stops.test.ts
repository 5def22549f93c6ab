import { describeError } from '@tickmark/domain';
import { afterEach, describe, expect, it } from 'vitest';
import { CLAIM_RULES, deliveryRoom } from './fixtures/delivery-room.ts';
import { openBreaker } from './breakers.ts';
import { findWaiting } from './find-waiting.ts';
import { getMessageDeliveryStatus } from './get-message-delivery-status.ts';
import { insertAccepted } from './insert-accepted.ts';
import { endStop, listStops, openStop, type OpenStop, type StopTarget } from './send-stops.ts';

const room = deliveryRoom();

afterEach(async () => {
  await room.db.sql`TRUNCATE send_stops, audit_log, whatsapp_messages`;
});

const BY_ANN = { source: 'operator', actor: 'ann', reason: 'wrong price' } as const;
const open = (stop: Partial<OpenStop> & StopTarget) => openStop(room.db, { ...BY_ANN, forMs: null, ...stop });
const openPause = (target: string) =>
  openBreaker(room.db, {
    scope: 'sender',
    target,
    errorCode: 63018,
    reason: 'limit',
    pause: { firstMs: 60_000, longestMs: 60_000, quietMs: 0 },
  });
const audited = () => room.db.sql`SELECT actor, action, reason, details FROM audit_log ORDER BY id`;

describe('a stop of everything, an account or a sender', () => {
  const cases: [scope: OpenStop['scope'], target: string, other: string][] = [
    ['account', CLAIM_RULES.account, 'fedcba9876543210'],
    ['sender', 'support', 'shop'],
  ];
  it.each(cases)('keeps every claim of that %s back and changes no row', async (scope, target, other) => {
    const { id } = await room.insert();
    const before = await room.row(id);
    await open({ scope, target });
    expect((await room.claim(id)).answer).toEqual({ kind: 'stopped', untilMs: null });
    expect(await room.row(id)).toEqual(before);
    await endStop(room.db, { ...BY_ANN, scope, target });
    await open({ scope, target: other });
    expect((await room.claim(id)).answer).toMatchObject({ kind: 'claimed' });
  });

  it('keeps every claim back whatever it is about', async () => {
    const { id } = await room.insert({ sender: 'shop' });
    await open({ scope: 'all', target: '*' });
    expect((await room.claim(id)).answer).toEqual({ kind: 'stopped', untilMs: null });
  });

  it('tells when the last of several will end', async () => {
    const { id } = await room.insert();
    await open({ scope: 'all', target: '*', forMs: 10_000 });
    await openPause('support');
    await open({ scope: 'sender', target: 'shop', forMs: 90_000 });
    const [until] = await room.db.sql<[{ until: Date }]>`SELECT until FROM send_stops WHERE source = 'breaker'`;
    expect((await room.claim(id)).answer).toEqual({ kind: 'stopped', untilMs: until.until.getTime() });
    await open({ scope: 'account', target: CLAIM_RULES.account });
    expect((await room.claim(id)).answer).toEqual({ kind: 'stopped', untilMs: null });
  });

  it('counts no longer than it was told to', async () => {
    const { id } = await room.insert();
    await open({ scope: 'all', target: '*', forMs: 0 });
    expect((await room.claim(id)).answer).toMatchObject({ kind: 'claimed' });
  });

  it('grants a claim again whose answer was lost', async () => {
    const { id } = await room.insert();
    const { token, answer } = await room.claim(id);
    await open({ scope: 'all', target: '*' });
    expect((await room.claim(id, token)).answer).toEqual(answer);
  });
});

describe('a stop of a campaign or a template', () => {
  const cases: [scope: OpenStop['scope'], target: string][] = [
    ['campaign', 'summer'],
    ['template', 'HX1'],
  ];
  const insert = () => room.insert({ campaign: 'summer', contentSid: 'HX1', body: null });

  it.each(cases)('parks the rows of that %s until it has ended', async (scope, target) => {
    const { id } = await insert();
    await open({ scope, target });
    expect((await room.claim(id)).answer).toEqual({ kind: 'parked' });
    expect(await room.row(id)).toMatchObject({ status: 'accepted', attempts: 0, due_at: 'infinity' });
    expect((await room.claim(id)).answer).toEqual({ kind: 'parked' });
    expect(await endStop(room.db, { ...BY_ANN, scope, target })).toEqual({ ended: true, unparked: 1 });
    expect((await room.claim(id)).answer).toMatchObject({ kind: 'claimed' });
  });

  it('leaves messages of others alone, with and without a campaign', async () => {
    const [other, without] = [await room.insert({ campaign: 'winter', contentSid: 'HX2' }), await room.insert()];
    await open({ scope: 'campaign', target: 'summer' });
    await open({ scope: 'template', target: 'HX1' });
    for (const { id } of [other, without]) expect((await room.claim(id)).answer).toMatchObject({ kind: 'claimed' });
  });

  it('keeps what another stop covers parked when one of two ends', async () => {
    const { id } = await insert();
    await open({ scope: 'campaign', target: 'summer' });
    await open({ scope: 'template', target: 'HX1' });
    await room.claim(id);
    expect(await endStop(room.db, { ...BY_ANN, scope: 'campaign', target: 'summer' })).toEqual({ ended: true, unparked: 0 });
    expect(await endStop(room.db, { ...BY_ANN, scope: 'template', target: 'HX1' })).toEqual({ ended: true, unparked: 1 });
  });

  it('shows no infinite time to anyone who reads a parked row', async () => {
    const message = await insert();
    await open({ scope: 'campaign', target: 'summer' });
    await room.claim(message.id);
    const [repeated] = await insertAccepted(room.db, [message]);
    expect(repeated).toMatchObject({ ok: true, value: { result: 'exists', waiting: false, dueAt: null } });
    expect(await findWaiting(room.db, { limit: 10, dueBefore: new Date('9999-12-31') })).toEqual([]);
    expect(await getMessageDeliveryStatus({ db: room.db, describeError }, { idOrSid: message.id })).toMatchObject({ status: 'accepted' });
  });
});

describe('opening and ending', () => {
  it('repeated changes nothing, and is audited once with actor and reason', async () => {
    expect(await open({ scope: 'campaign', target: 'summer' })).toEqual({ opened: true });
    const [before] = await listStops(room.db);
    expect(await open({ scope: 'campaign', target: 'summer' })).toEqual({ opened: false });
    expect(await listStops(room.db)).toEqual([before]);
    const stop = { ...BY_ANN, scope: 'campaign', target: 'summer' } as const;
    expect(await endStop(room.db, { ...stop, reason: 'price corrected' })).toMatchObject({ ended: true });
    expect(await endStop(room.db, stop)).toMatchObject({ ended: false });
    const details = { scope: 'campaign', target: 'summer', source: 'operator' };
    expect(await audited()).toEqual([
      { actor: 'ann', action: 'stop_opened', reason: 'wrong price', details },
      { actor: 'ann', action: 'stop_ended', reason: 'price corrected', details },
    ]);
  });

  it('at the same moment by many opens it once', async () => {
    const results = await Promise.all(Array.from({ length: 5 }, () => open({ scope: 'all', target: '*' })));
    expect(results.filter((result) => result.opened)).toHaveLength(1);
    expect(await audited()).toHaveLength(1);
  });

  it('a breaker is in the audit log when a person ends it, not when it opens', async () => {
    const breaker = { scope: 'sender', target: 'support', source: 'breaker' } as const;
    await openPause('support');
    expect(await audited()).toEqual([]);
    await endStop(room.db, { ...breaker, actor: 'ann', reason: 'limit raised' });
    expect(await audited()).toMatchObject([{ action: 'stop_ended', details: breaker }]);
  });

  it('an operator and a breaker hold the same target without undoing each other', async () => {
    const { id } = await room.insert();
    await open({ scope: 'sender', target: 'support' });
    await openPause('support');
    await endStop(room.db, { scope: 'sender', target: 'support', source: 'breaker', actor: 'ann' });
    expect((await room.claim(id)).answer).toMatchObject({ kind: 'stopped' });
  });

  it('again after its time is over counts from then', async () => {
    await open({ scope: 'all', target: '*', forMs: 0 });
    await room.db.sql`UPDATE send_stops SET opened_at = now() - interval '1 hour'`;
    expect(await open({ scope: 'all', target: '*' })).toEqual({ opened: true });
    const [stop] = await listStops(room.db);
    expect(Date.now() - (stop?.openedAt.getTime() ?? 0)).toBeLessThan(600_000);
  });
});

it('lists what counts, with the time that is left', async () => {
  await openPause('shop');
  await open({ scope: 'campaign', target: 'summer' });
  await open({ scope: 'campaign', target: 'over', forMs: 0 });
  const shared = { openedAt: expect.any(Date), probedAt: null };
  expect(await listStops(room.db)).toEqual([
    {
      ...shared,
      ...BY_ANN,
      scope: 'campaign',
      target: 'summer',
      errorCode: null,
      level: 0,
      until: null,
      remainingMs: null,
    },
    {
      ...shared,
      scope: 'sender',
      target: 'shop',
      source: 'breaker',
      actor: 'system',
      reason: 'limit',
      errorCode: 63018,
      level: 0,
      until: expect.any(Date),
      remainingMs: expect.closeTo(59_500, -4),
    },
  ]);
});
