import { randomUUID } from 'node:crypto';
import { externalMessageId, newMessageId, type SendOutcome } from '@tickmark/domain';
import { randomSid, statusEvent } from '@tickmark/testing';
import { describe, expect, it } from 'vitest';
import { applyStatuses } from './apply-statuses.ts';
import { accepted, deliveryRoom, rejected, throttled, unknownOutcome, valuesOf } from './fixtures/delivery-room.ts';
import { markStaleSending } from './mark-stale-sending.ts';
import { recordOutcome } from './record-outcome.ts';
import { releaseClaim } from './release-claim.ts';

const room = deliveryRoom();

describe('an accepted call', () => {
  it('makes the row queued with its sid', async () => {
    const { message, sid, token } = await room.sendAccepted();
    expect(await room.row(message.id)).toMatchObject({
      status: 'queued',
      rank: 20,
      message_sid: sid,
      sid_source: 'record',
      claim_token: token,
      outcome: 'accepted',
      http_status: 201,
      error_code: null,
      queued_at: expect.any(String),
      open_status: null,
    });
  });

  it('recorded twice is answered the same and changes nothing', async () => {
    const { message, sid, token } = await room.sendAccepted();
    const before = await room.row(message.id);
    expect(await record(message.id, token, accepted(sid))).toEqual({ kind: 'recorded', status: 'queued', dueAt: null });
    expect(await room.row(message.id)).toEqual(before);
  });

  it('only fills in what is missing when a callback came first', async () => {
    const { id, token, sid } = await claimed();
    valuesOf(await applyStatuses(room.db, [statusEvent({ messageId: id, attempt: 1, messageSid: sid, rawStatus: 'delivered' })]));
    expect(await record(id, token, accepted(sid))).toEqual({ kind: 'merged' });
    expect(await room.row(id)).toMatchObject({ status: 'delivered', rank: 60, message_sid: sid, outcome: 'accepted', http_status: 201 });
  });

  it('is recorded on a row that the sweeper had judged unknown: the token stays', async () => {
    const { id, token, sid } = await claimed();
    await goStale(id);
    expect(await record(id, token, accepted(sid))).toEqual({ kind: 'recorded', status: 'queued', dueAt: null });
    expect(await room.row(id)).toMatchObject({ status: 'queued', message_sid: sid });
  });

  it('takes the sid from an external row, with all that it knew and its log', async () => {
    const { id, token, sid } = await claimed();
    const [external] = valuesOf(await applyStatuses(room.db, [statusEvent({ messageSid: sid, rawStatus: 'delivered' })]));
    expect(external?.kind).toBe('external');
    expect(await record(id, token, accepted(sid))).toEqual({ kind: 'merged' });
    expect(await room.row(id)).toMatchObject({
      status: 'delivered',
      message_sid: sid,
      outcome: 'accepted',
      delivered_at: expect.any(String),
    });
    expect(await room.row(external?.messageId ?? '')).toBeNull();
    expect(await room.logs([sid])).toEqual([expect.objectContaining({ status: 'delivered', message_id: id, attempt: 1 })]);
  });

  it('of an older attempt is kept at that attempt, and the newer attempt goes on', async () => {
    const { id, token, sid } = await claimed();
    await goStale(id);
    await makeWaiting(id);
    const second = await room.claim(id);
    expect(await record(id, token, accepted(sid))).toEqual({ kind: 'merged' });
    expect(await room.attempts(id)).toEqual([
      expect.objectContaining({ attempt: 1, message_sid: sid, status: 'queued', rank: 20, outcome: 'accepted' }),
    ]);
    expect(await room.row(id)).toMatchObject({ status: 'sending', message_sid: null, attempts: 2, claim_token: second.token });
  });

  it('of an older attempt is kept once, however often it is recorded', async () => {
    const { id, token, sid } = await claimed();
    await goStale(id);
    await makeWaiting(id);
    await room.claim(id);
    await record(id, token, accepted(sid));
    const before = await room.attempts(id);
    expect(await record(id, token, accepted(sid))).toEqual({ kind: 'merged' });
    expect(await room.attempts(id)).toEqual(before);
  });

  it('with another sid than the row has is ignored', async () => {
    const { message, token, sid } = await room.sendAccepted();
    expect(await record(message.id, token, accepted(randomSid()))).toEqual({ kind: 'ignored' });
    expect(await room.row(message.id)).toMatchObject({ message_sid: sid });
  });

  it('brings back a row that was lost with a restored backup', async () => {
    const [id, sid] = [newMessageId(), randomSid()];
    expect(await record(id, randomUUID(), accepted(sid))).toEqual({ kind: 'merged' });
    expect(await room.row(id)).toMatchObject({ origin: 'recovered', status: 'queued', message_sid: sid, attempts: 1 });
  });

  it('averts a second send on a row that a restored backup made wait again', async () => {
    const [{ id }, sid] = [await room.insert(), randomSid()];
    expect(await record(id, randomUUID(), accepted(sid))).toEqual({ kind: 'merged' });
    expect(await room.row(id)).toMatchObject({ status: 'queued', message_sid: sid, attempts: 1 });
    expect((await room.claim(id)).answer).toMatchObject({ kind: 'ended', status: 'queued' });
  });

  it('never puts one sid on two rows, also when a callback without our id comes at the same moment', async () => {
    for (let round = 0; round < 20; round += 1) {
      const { id, token, sid } = await claimed();
      const [answer] = await Promise.all([
        record(id, token, accepted(sid)),
        applyStatuses(room.db, [statusEvent({ messageSid: sid, rawStatus: 'sent' })]).then(valuesOf),
      ]);
      expect(['recorded', 'merged']).toContain(answer?.kind);
      expect(await room.row(id)).toMatchObject({ message_sid: sid, status: 'sent' });
    }
  });
});

describe('a throttled call', () => {
  it('makes the row wait half a second to a second', async () => {
    const { id, token } = await claimed();
    const answer = await record(id, token, throttled());
    expect(answer).toMatchObject({ kind: 'recorded', status: 'retrying' });
    expect(await secondsUntilDue(id)).toBeGreaterThanOrEqual(0.5);
    expect(await secondsUntilDue(id)).toBeLessThanOrEqual(1);
    expect(await room.row(id)).toMatchObject({ status: 'retrying', throttles: 1, refusals: 0, error_code: 20429, message_sid: null });
  });

  it.each([
    [1, 1, 2],
    [4, 8, 16],
    [5, 16, 30],
    [12, 30, 30],
  ])('after %i throttles in a row waits %i to %i seconds', async (before, min, max) => {
    const { id, token } = await claimed();
    await room.db.sql`UPDATE whatsapp_messages SET throttles = ${before} WHERE id = ${id}`;
    await record(id, token, throttled());
    expect(await secondsUntilDue(id)).toBeGreaterThanOrEqual(before >= 6 ? 15 : min);
    expect(await secondsUntilDue(id)).toBeLessThanOrEqual(max);
  });

  it.each([
    [0, 0],
    [7_000, 7],
    [3_600_000, 60],
    [-5, 0],
  ])('obeys a Retry-After of %i ms with %i seconds', async (retryAfterMs, seconds) => {
    const { id, token } = await claimed();
    await record(id, token, throttled(retryAfterMs));
    expect(await secondsUntilDue(id)).toBeCloseTo(seconds, 2);
  });

  it('repeated is answered with the same time and counts once', async () => {
    const { id, token } = await claimed();
    const answer = await record(id, token, throttled());
    expect(await record(id, token, throttled())).toEqual(answer);
    expect(await room.row(id)).toMatchObject({ throttles: 1 });
  });

  it('starts counting anew after a call that was not throttled', async () => {
    const { id, token } = await claimed();
    await room.db.sql`UPDATE whatsapp_messages SET throttles = 4 WHERE id = ${id}`;
    await record(id, token, unknownOutcome());
    expect(await room.row(id)).toMatchObject({ throttles: 0 });
  });
});

describe('the other outcomes', () => {
  it('a rejected call fails with its code', async () => {
    const { id, token } = await claimed();
    expect(await record(id, token, rejected(63016))).toEqual({ kind: 'recorded', status: 'failed', dueAt: null });
    expect(await room.row(id)).toMatchObject({
      status: 'failed',
      rank: 50,
      error_code: 63016,
      failed_at: expect.any(String),
      http_status: 400,
    });
  });

  it('an unknown outcome keeps the token, so that a late record still merges', async () => {
    const { id, token, sid } = await claimed();
    expect(await record(id, token, unknownOutcome())).toEqual({ kind: 'recorded', status: 'unknown', dueAt: null });
    expect(await room.row(id)).toMatchObject({ status: 'unknown', rank: 0, claim_token: token });
    expect(await record(id, token, accepted(sid))).toMatchObject({ kind: 'recorded', status: 'queued' });
  });

  it('a rejection that comes late resolves a stale claim', async () => {
    const { id, token } = await claimed();
    await goStale(id);
    expect(await record(id, token, rejected())).toMatchObject({ kind: 'recorded', status: 'failed' });
  });

  it.each([
    ['throttled', throttled()],
    ['rejected', rejected()],
    ['unknown', unknownOutcome()],
  ])('%s with another token is ignored', async (_kind, outcome) => {
    const { id } = await claimed();
    const before = await room.row(id);
    expect(await record(id, randomUUID(), outcome)).toEqual({ kind: 'ignored' });
    expect(await room.row(id)).toEqual(before);
  });

  it.each([
    ['throttled', throttled()],
    ['rejected', rejected()],
    ['unknown', unknownOutcome()],
  ])('%s never lowers a row whose sid a callback brought', async (_kind, outcome) => {
    const { id, token, sid } = await claimed();
    valuesOf(await applyStatuses(room.db, [statusEvent({ messageId: id, attempt: 1, messageSid: sid, rawStatus: 'sent' })]));
    expect(await record(id, token, outcome)).toEqual({ kind: 'ignored' });
    expect(await room.row(id)).toMatchObject({ status: 'sent', message_sid: sid });
  });

  it('of an older attempt is noted there when nothing was', async () => {
    const { id, token } = await claimed();
    await goStale(id);
    await makeWaiting(id);
    const second = await room.claim(id);
    expect(await record(id, token, rejected(21211))).toEqual({ kind: 'merged' });
    expect(await room.attempts(id)).toEqual([expect.objectContaining({ outcome: 'rejected', error_code: 21211, http_status: 400 })]);
    expect(await room.row(id)).toMatchObject({ status: 'sending', claim_token: second.token });
  });

  it('are answered in the order of the batch', async () => {
    const records = [];
    for (const outcome of [unknownOutcome(), rejected(), accepted(randomSid())]) {
      const { id, token } = await claimed();
      records.push({ id, token, attempt: 1, outcome });
    }
    const answers = await recordOutcome(room.db, records);
    expect(valuesOf(answers).map((answer) => (answer.kind === 'recorded' ? answer.status : answer.kind))).toEqual([
      'unknown',
      'failed',
      'queued',
    ]);
  });
});

describe('a late record of a row that adopted a sid', () => {
  it.each([
    ['another sid', () => accepted(randomSid()), 'queued'],
    ['a refusal', () => rejected(21211), 'failed'],
    ['a throttle', () => throttled(), 'retrying'],
  ])('%s is better than the adoption, whose message is nobody’s again', async (_name, outcomeOf, status) => {
    const { id, token, sid } = await adopted();
    const outcome = outcomeOf();
    await record(id, token, outcome);
    const own = outcome.kind === 'accepted' ? outcome.messageSid : null;
    expect(await room.row(id)).toMatchObject({ status, message_sid: own, outcome: outcome.kind });
    expect(await room.row(externalMessageId(sid))).toMatchObject({ message_sid: sid, origin: 'external' });
    const before = await room.row(id);
    await record(id, token, outcome);
    expect(await room.row(id)).toEqual(before);
  });

  it('the same sid is the row’s own from then on', async () => {
    const { id, token, sid } = await adopted();
    expect(await record(id, token, accepted(sid))).toEqual({ kind: 'merged' });
    expect(await room.row(id)).toMatchObject({ status: 'queued', message_sid: sid, sid_source: 'record' });
  });

  it('that says nothing changes nothing', async () => {
    const { id, token } = await adopted();
    const before = await room.row(id);
    await record(id, token, unknownOutcome());
    expect(await room.row(id)).toEqual(before);
  });

  it('a claim that is given back was never called: the row waits again', async () => {
    const { id, token, sid } = await adopted();
    expect(valuesOf(await releaseClaim(room.db, [{ id, token }]))).toEqual([{ released: true }]);
    expect(await room.row(id)).toMatchObject({ status: 'accepted', message_sid: null });
    expect(await room.row(externalMessageId(sid))).toMatchObject({ message_sid: sid });
  });
});

describe('a released claim', () => {
  it('waits again at once, and its attempt stays counted', async () => {
    const { id, token } = await claimed();
    expect(valuesOf(await releaseClaim(room.db, [{ id, token }]))).toEqual([{ released: true }]);
    expect(await room.row(id)).toMatchObject({ status: 'accepted', attempts: 1, outcome: 'released' });
    expect((await room.claim(id)).answer).toMatchObject({ kind: 'claimed', request: { attempt: 2 } });
  });

  it.each([
    ['another token holds the row', async () => ({ id: (await claimed()).id, token: randomUUID() })],
    ['the row has a sid', () => room.sendAccepted().then(({ message, token }) => ({ id: message.id, token }))],
    ['it was released before', releasedBefore],
    ['there is no such row', () => Promise.resolve({ id: randomUUID(), token: randomUUID() })],
  ])('changes nothing when %s', async (_name, make) => {
    const claim = await make();
    const before = await room.row(claim.id);
    expect(valuesOf(await releaseClaim(room.db, [claim]))).toEqual([{ released: false }]);
    expect(await room.row(claim.id)).toEqual(before);
  });
});

async function claimed() {
  const { id } = await room.insert();
  const { token } = await room.claim(id);
  return { id, token, sid: randomSid() };
}

async function adopted() {
  const { id, token, sid } = await claimed();
  await room.db.sql`
    UPDATE whatsapp_messages SET message_sid = ${sid}, sid_source = 'adopted', status = 'queued', rank = 20 WHERE id = ${id}`;
  return { id, token, sid };
}

async function releasedBefore() {
  const { id, token } = await claimed();
  valuesOf(await releaseClaim(room.db, [{ id, token }]));
  return { id, token };
}

async function record(id: string, token: string, outcome: SendOutcome, attempt = 1) {
  return valuesOf(await recordOutcome(room.db, [{ id, attempt, token, outcome }]))[0];
}

async function goStale(id: string): Promise<void> {
  await room.db.sql`UPDATE whatsapp_messages SET claimed_at = now() - interval '61 seconds' WHERE id = ${id}`;
  expect(await markStaleSending(room.db, { olderThanSeconds: 60 })).toHaveLength(1);
}

/** What a resend that an operator decided will do. */
async function makeWaiting(id: string): Promise<void> {
  await room.db.sql`UPDATE whatsapp_messages SET status = 'retrying', due_at = now() WHERE id = ${id}`;
}

async function secondsUntilDue(id: string): Promise<number> {
  const [row] = await room.db.sql<[{ seconds: number }]>`
    SELECT extract(epoch FROM due_at - ended_at)::float8 AS seconds FROM whatsapp_messages WHERE id = ${id}`;
  return row.seconds;
}
