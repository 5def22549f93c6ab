import { randomUUID } from 'node:crypto';
import { externalMessageId, newMessageId, type StatusEvent } from '@tickmark/domain';
import { randomSid, statusEvent } from '@tickmark/testing';
import { describe, expect, it } from 'vitest';
import { applyStatuses } from './apply-statuses.ts';
import { deliveryRoom, rejected, throttled, unknownOutcome, valuesOf } from './fixtures/delivery-room.ts';
import { recordOutcome } from './record-outcome.ts';
import { releaseClaim } from './release-claim.ts';

const room = deliveryRoom();

describe('a status of a message whose sid is known', () => {
  it('raises the row, keeps its time, logs the word as received and tells from what to what', async () => {
    const { message, sid } = await room.sendAccepted({ acceptedAt: at(0), campaign: 'spring', contentSid: 'HX1', body: null });
    const [applied] = await apply([{ messageSid: sid, rawStatus: 'sent', receivedAt: at(1_500) }]);
    expect(applied).toEqual({
      messageId: message.id,
      kind: 'raised',
      logged: true,
      from: 'queued',
      to: 'sent',
      sender: 'support',
      contentSid: 'HX1',
      campaign: 'spring',
      contradicted: false,
      errorCode: null,
      latencyMs: { toSent: 1_500, toDelivered: null, toRead: null },
    });
    expect(await room.row(message.id)).toMatchObject({
      status: 'sent',
      rank: 40,
      sent_at: expect.stringContaining(at(1_500).slice(0, 21)),
    });
    expect(await room.logs([sid])).toEqual([
      expect.objectContaining({ status: 'sent', message_id: message.id, attempt: 1, source: 'callback', error_code: null }),
    ]);
  });

  it('measures latency from the scheduled time', async () => {
    const { message, sid } = await room.sendAccepted({ acceptedAt: at(0) });
    await room.db.sql`UPDATE whatsapp_messages SET send_at = ${at(10_000)}::text::timestamptz WHERE id = ${message.id}`;
    const [applied] = await apply([{ messageSid: sid, rawStatus: 'read', receivedAt: at(12_000) }]);
    expect(applied?.latencyMs).toEqual({ toSent: null, toDelivered: null, toRead: 2_000 });
  });

  it('is measured once per stage, whatever is told again, in other words or at the same moment', async () => {
    const { sid } = await room.sendAccepted({ acceptedAt: at(0) });
    const sent = (rawStatus: string, ms: number) => ({ messageSid: sid, rawStatus, receivedAt: at(ms) });
    const measured = (applied: Awaited<ReturnType<typeof apply>>) => applied.flatMap(({ latencyMs }) => latencyMs.toSent ?? []);
    expect(measured(await apply([sent('Sent', 3_000), sent('sent', 1_000), sent('sent', 500)]))).toEqual([1_000]);
    expect(measured(await apply([sent('SENT', 200), sent('sent', 100)]))).toEqual([]);
    const words = ['delivered', 'Delivered', 'DELIVERED', 'dELIVERED'];
    const settled = await Promise.all(words.map((rawStatus) => apply([sent(rawStatus, 5_000)])));
    expect(settled.flat().flatMap(({ latencyMs }) => latencyMs.toDelivered ?? [])).toEqual([5_000]);
  });

  it('is not measured by a poll, which tells of a stage long after it was reached', async () => {
    const { sid } = await room.sendAccepted({ acceptedAt: at(0) });
    const applied = await apply([
      { messageSid: sid, rawStatus: 'sent', receivedAt: at(43_200_000), source: 'poll' },
      { messageSid: sid, rawStatus: 'Sent', receivedAt: at(43_201_000), source: 'list' },
    ]);
    expect(applied.map(({ latencyMs }) => latencyMs.toSent)).toEqual([null, null]);
  });

  it('that comes late fills in its time and changes nothing else', async () => {
    const { message, sid } = await room.sendAccepted();
    await apply([{ messageSid: sid, rawStatus: 'delivered', receivedAt: at(3_000) }]);
    const [late] = await apply([{ messageSid: sid, rawStatus: 'sent', receivedAt: at(4_000) }]);
    expect(late).toMatchObject({ kind: 'logged', logged: true, from: 'delivered', to: 'delivered' });
    expect(await room.row(message.id)).toMatchObject({
      status: 'delivered',
      sent_at: expect.any(String),
      delivered_at: expect.any(String),
    });
  });

  it('that skips stages leaves their times empty', async () => {
    const { message, sid } = await room.sendAccepted();
    await apply([{ messageSid: sid, rawStatus: 'read' }]);
    expect(await room.row(message.id)).toMatchObject({ status: 'read', rank: 70, sent_at: null, delivered_at: null });
  });

  it('told twice is logged once, by the first one of a batch', async () => {
    const { sid } = await room.sendAccepted();
    const event = { messageSid: sid, rawStatus: 'sent' };
    expect((await apply([event, event])).map(({ kind, logged }) => [kind, logged])).toEqual([
      ['raised', true],
      ['duplicate', false],
    ]);
    expect((await apply([event])).map(({ kind, logged }) => [kind, logged])).toEqual([['duplicate', false]]);
    expect(await room.logs([sid])).toHaveLength(1);
  });

  it('told again with an earlier time keeps the earliest', async () => {
    const { message, sid } = await room.sendAccepted();
    await apply([{ messageSid: sid, rawStatus: 'sent', receivedAt: at(5_000) }]);
    await apply([{ messageSid: sid, rawStatus: 'sent', receivedAt: at(1_000) }]);
    expect((await room.row(message.id))?.['sent_at']).toContain(at(1_000).slice(0, 19));
  });

  it('writes no new version of the row when it says nothing new', async () => {
    const { message, sid } = await room.sendAccepted();
    await apply([{ messageSid: sid, rawStatus: 'sent', receivedAt: at(1_000) }]);
    const before = await room.row(message.id);
    await apply([{ messageSid: sid, rawStatus: 'sent', receivedAt: at(2_000) }]);
    await apply([{ messageSid: sid, rawStatus: 'a new word' }]);
    expect(await room.row(message.id)).toEqual(before);
  });

  it('with an unknown word is logged and never projected', async () => {
    const { message, sid } = await room.sendAccepted();
    const [applied] = await apply([{ messageSid: sid, rawStatus: 'Partially_Delivered' }]);
    expect(applied).toMatchObject({ kind: 'logged', from: 'queued', to: 'queued' });
    expect(await room.row(message.id)).toMatchObject({ status: 'queued' });
    expect(await room.logs([sid])).toEqual([expect.objectContaining({ status: 'Partially_Delivered' })]);
  });

  it('of a Messaging Service ("accepted", "scheduled") is stored as queued', async () => {
    const { message, sid } = await room.sendAccepted();
    await apply([
      { messageSid: sid, rawStatus: 'accepted' },
      { messageSid: sid, rawStatus: 'scheduled' },
    ]);
    expect(await room.row(message.id)).toMatchObject({ status: 'queued' });
    expect((await room.claim(message.id)).answer).toMatchObject({ kind: 'ended', status: 'queued' });
  });

  it('tells a change of the batch with one event, the one that the new status is from', async () => {
    const { sid } = await room.sendAccepted();
    const applied = await apply(['sent', 'read', 'delivered'].map((rawStatus) => ({ messageSid: sid, rawStatus })));
    expect(applied.map(({ kind, from, to }) => [kind, from, to])).toEqual([
      ['logged', 'read', 'read'],
      ['raised', 'queued', 'read'],
      ['logged', 'read', 'read'],
    ]);
  });
});

describe('failures', () => {
  it('keep the code of the winning status', async () => {
    const { message, sid } = await room.sendAccepted();
    await apply([{ messageSid: sid, rawStatus: 'undelivered', errorCode: 63049 }]);
    expect(await room.row(message.id)).toMatchObject({ status: 'undelivered', error_code: 63049, failed_at: expect.any(String) });
  });

  it.each([
    [[failed(null), failed(30008)], 'failed', 30008],
    [[failed(30008), failed(63016)], 'failed', 63016],
    [[failed(63016), undelivered(1)], 'undelivered', 1],
  ])('of equal rank have one winner in any order (%#)', async (events, status, code) => {
    for (const order of [events, events.toReversed()]) {
      const { message, sid } = await room.sendAccepted();
      for (const event of order) await apply([{ ...event, messageSid: sid }]);
      expect(await room.row(message.id)).toMatchObject({ status, error_code: code, contradicted: false });
    }
  });

  it.each([
    ['before', [failed(30008), { rawStatus: 'delivered' }]],
    ['after', [{ rawStatus: 'delivered' }, failed(30008)]],
  ])('%s an arrival are contradicted, and the arrival wins without a code', async (_when, events) => {
    for (const together of [true, false]) {
      const { message, sid } = await room.sendAccepted();
      const batch = events.map((event) => ({ ...event, messageSid: sid }));
      if (together) await apply(batch);
      else for (const event of batch) await apply([event]);
      expect(await room.row(message.id)).toMatchObject({ status: 'delivered', error_code: null, contradicted: true });
    }
  });
});

describe('a callback that names our row', () => {
  it.each([
    ['sending', () => claimed()],
    ['unknown', () => claimed((id, token) => record(id, token, unknownOutcome()))],
    ['retrying', () => claimed((id, token) => record(id, token, throttled()))],
    ['accepted', () => claimed((id, token) => releaseClaim(room.db, [{ id, token }]))],
  ])('binds its sid to a row that is %s and averts another send', async (status, make) => {
    const id = await make();
    const sid = randomSid();
    expect(await room.row(id)).toMatchObject({ status, message_sid: null });
    const [applied] = await apply([{ messageId: id, attempt: 1, messageSid: sid, rawStatus: 'sent' }]);
    expect(applied).toMatchObject({ kind: 'bound', messageId: id, from: status, to: 'sent' });
    expect(await room.row(id)).toMatchObject({ status: 'sent', message_sid: sid, sid_source: 'callback', error_code: null });
    expect((await room.claim(id)).answer).toMatchObject({ kind: 'ended', status: 'sent' });
  });

  it('proves the creation even with a word that we do not know', async () => {
    const id = await claimed((rowId, token) => record(rowId, token, throttled()));
    await apply([{ messageId: id, attempt: 1, messageSid: randomSid(), rawStatus: 'novel' }]);
    expect(await room.row(id)).toMatchObject({ status: 'queued', rank: 20 });
  });

  it('and arrived overrules a failure of ours, contradicted', async () => {
    const id = await claimed((rowId, token) => record(rowId, token, rejected(21211)));
    await apply([{ messageId: id, attempt: 1, messageSid: randomSid(), rawStatus: 'delivered' }]);
    expect(await room.row(id)).toMatchObject({ status: 'delivered', contradicted: true, error_code: null });
  });

  it('does not overrule a failure of ours before it arrived', async () => {
    const id = await claimed((rowId, token) => record(rowId, token, rejected(21211)));
    await apply([{ messageId: id, attempt: 1, messageSid: randomSid(), rawStatus: 'sent' }]);
    expect(await room.row(id)).toMatchObject({ status: 'failed', error_code: 21211, sent_at: expect.any(String) });
  });

  it('and no row of ours brings the row back under its id', async () => {
    const [id, sid] = [newMessageId(), randomSid()];
    const from = 'whatsapp:+14155238886';
    const [applied] = await apply([{ messageId: id, attempt: 2, messageSid: sid, rawStatus: 'delivered', from, to: 'whatsapp:US.abc' }]);
    expect(applied).toMatchObject({ kind: 'recovered', messageId: id, from: null, to: 'delivered' });
    expect(await room.row(id)).toMatchObject({
      origin: 'recovered',
      status: 'delivered',
      message_sid: sid,
      attempts: 2,
      sender_address: from,
      recipient: 'whatsapp:US.abc',
    });
  });

  it('and a row that was deleted on purpose is counted and stores nothing', async () => {
    const [id, sid] = [newMessageId(), randomSid()];
    await room.db.sql`INSERT INTO message_tombstones (message_id) VALUES (${id})`;
    const [applied] = await apply([{ messageId: id, attempt: 1, messageSid: sid }]);
    expect(applied).toMatchObject({ kind: 'deleted', messageId: null, logged: false, from: null, to: null });
    expect(await room.row(id)).toBeNull();
    expect(await room.logs([sid])).toEqual([]);
  });

  it('with another sid than its attempt has is logged and changes no row', async () => {
    const { message } = await room.sendAccepted();
    const before = await room.row(message.id);
    const sid = randomSid();
    const [applied] = await apply([{ messageId: message.id, attempt: 1, messageSid: sid, rawStatus: 'delivered' }]);
    expect(applied).toMatchObject({ kind: 'other_sid', messageId: message.id, logged: true, from: 'queued', to: 'queued' });
    expect(await room.row(message.id)).toEqual(before);
    expect(await room.logs([sid])).toHaveLength(1);
  });

  it('and a later attempt than the row knows raises the attempts, audited once', async () => {
    const { id } = await room.insert();
    const event = { messageId: id, attempt: 3, messageSid: randomSid(), rawStatus: 'sent' };
    await apply([event]);
    await apply([event]);
    expect(await room.row(id)).toMatchObject({ attempts: 3, status: 'sent' });
    const audits = await room.db.sql`SELECT actor, action, details FROM audit_log WHERE message_id = ${id}`;
    expect([...audits]).toEqual([{ actor: 'system', action: 'attempts_raised', details: { attempt: 3, messageSid: event.messageSid } }]);
  });

  it('binds one of two sids that name the same attempt, and logs the other', async () => {
    const id = await claimed();
    const sids = [randomSid(), randomSid()];
    const applied = await apply(sids.map((messageSid) => ({ messageId: id, attempt: 1, messageSid, rawStatus: 'sent' })));
    expect(applied.map(({ kind }) => kind).toSorted()).toEqual(['bound', 'other_sid']);
    expect(await room.logs(sids)).toHaveLength(2);
  });
});

describe('a callback of an older attempt', () => {
  it('raises that attempt alone', async () => {
    const { id, sid } = await secondAttempt();
    const [applied] = await apply([{ messageId: id, attempt: 1, messageSid: sid, rawStatus: 'failed', errorCode: 63024 }]);
    expect(applied).toMatchObject({ kind: 'attempt', logged: true, from: 'sending', to: 'sending' });
    expect(await room.attempts(id)).toEqual([
      expect.objectContaining({ attempt: 1, message_sid: sid, status: 'failed', error_code: 63024 }),
    ]);
    expect(await room.row(id)).toMatchObject({ status: 'sending', message_sid: null, duplicate: false, failed_at: null });
  });

  it('is never lowered by an earlier status', async () => {
    const { id, sid } = await secondAttempt();
    for (const rawStatus of ['undelivered', 'sent', 'queued']) await apply([{ messageId: id, attempt: 1, messageSid: sid, rawStatus }]);
    expect(await room.attempts(id)).toEqual([expect.objectContaining({ status: 'undelivered', rank: 50 })]);
  });

  it('that arrived raises the message too and flags a duplicate', async () => {
    const { id, sid } = await secondAttempt();
    const [applied] = await apply([{ messageId: id, attempt: 1, messageSid: sid, rawStatus: 'delivered' }]);
    expect(applied).toMatchObject({ kind: 'raised', from: 'sending', to: 'delivered' });
    expect(await room.row(id)).toMatchObject({ status: 'delivered', duplicate: true, message_sid: null, delivered_at: expect.any(String) });
  });

  it('without our id is found through the attempt that has its sid', async () => {
    const { id, sid } = await secondAttempt();
    await apply([{ messageId: id, attempt: 1, messageSid: sid, rawStatus: 'sent' }]);
    await apply([{ messageSid: sid, rawStatus: 'undelivered', errorCode: 63049, source: 'poll' }]);
    expect(await room.attempts(id)).toEqual([expect.objectContaining({ status: 'undelivered', error_code: 63049 })]);
    expect(await room.row(externalMessageId(sid))).toBeNull();
  });

  it('takes its sid from an external row', async () => {
    const { id, sid } = await secondAttempt();
    await apply([{ messageSid: sid, rawStatus: 'undelivered', errorCode: 63049 }]);
    await apply([{ messageId: id, attempt: 1, messageSid: sid, rawStatus: 'sent' }]);
    expect(await room.attempts(id)).toEqual([expect.objectContaining({ message_sid: sid, status: 'undelivered', error_code: 63049 })]);
    expect(await room.row(externalMessageId(sid))).toBeNull();
  });

  it('with another sid than that attempt has is logged and changes nothing', async () => {
    const { id, sid } = await secondAttempt();
    await apply([{ messageId: id, attempt: 1, messageSid: sid, rawStatus: 'sent' }]);
    const [applied] = await apply([{ messageId: id, attempt: 1, messageSid: randomSid(), rawStatus: 'delivered' }]);
    expect(applied).toMatchObject({ kind: 'other_sid', logged: true });
    expect(await room.attempts(id)).toEqual([expect.objectContaining({ message_sid: sid, status: 'sent' })]);
    expect(await room.row(id)).toMatchObject({ status: 'sending' });
  });
});

describe('a message that we did not send', () => {
  it('gets an external row with what the callback tells, and goes on like any other', async () => {
    const sid = randomSid();
    const service = `MG${'b'.repeat(32)}`;
    await room.db.sql`INSERT INTO senders (alias, address, mps) VALUES ('campaign', ${service}, 1)`;
    const event = { messageSid: sid, from: 'whatsapp:+14155238886', to: 'whatsapp:+15005550006', messagingServiceSid: service };
    const [applied] = await apply([{ ...event, rawStatus: 'sent' }]);
    expect(applied).toMatchObject({ kind: 'external', messageId: externalMessageId(sid), from: null, to: 'sent', sender: 'campaign' });
    await apply([{ ...event, rawStatus: 'read' }]);
    expect(await room.row(externalMessageId(sid))).toMatchObject({
      origin: 'external',
      status: 'read',
      message_sid: sid,
      sender: 'campaign',
      sender_address: service,
      recipient: 'whatsapp:+15005550006',
      attempts: 0,
      accepted_at: null,
    });
  });

  it('turns out to be ours when a callback names our row: the external row goes, its log and times move', async () => {
    const id = await claimed();
    const sid = randomSid();
    await apply([{ messageSid: sid, rawStatus: 'failed', errorCode: 30008, receivedAt: at(5_000) }]);
    const [applied] = await apply([{ messageId: id, attempt: 1, messageSid: sid, rawStatus: 'delivered', receivedAt: at(1_000) }]);
    expect(applied).toMatchObject({ kind: 'bound', messageId: id, from: 'sending', to: 'delivered' });
    expect(await room.row(externalMessageId(sid))).toBeNull();
    expect(await room.row(id)).toMatchObject({ status: 'delivered', contradicted: true, failed_at: expect.any(String), message_sid: sid });
    expect((await room.logs([sid])).map((line) => [line['message_id'], line['attempt']])).toEqual([
      [id, 1],
      [id, 1],
    ]);
  });

  it('turns out to be a lost row of ours', async () => {
    const [id, sid] = [newMessageId(), randomSid()];
    await apply([{ messageSid: sid, rawStatus: 'delivered' }]);
    const [applied] = await apply([{ messageId: id, attempt: 1, messageSid: sid, rawStatus: 'sent' }]);
    expect(applied).toMatchObject({ kind: 'recovered', messageId: id, to: 'delivered' });
    expect(await room.row(externalMessageId(sid))).toBeNull();
  });

  it('is made once when many batches bring it at the same moment', async () => {
    const sid = randomSid();
    const words = ['queued', 'sent', 'delivered', 'read'];
    const settled = await Promise.all(words.map((rawStatus) => apply([{ messageSid: sid, rawStatus }])));
    expect(settled.flat().filter(({ kind }) => kind === 'external')).toHaveLength(1);
    expect(await room.row(externalMessageId(sid))).toMatchObject({ status: 'read' });
    expect(await room.logs([sid])).toHaveLength(4);
  });
});

describe('a sid that a row adopted by guess', () => {
  it('goes to the row that the callback names, and the adopter is unknown again and looked for anew', async () => {
    const { adopter, sid } = await adopted();
    const owner = await claimed();
    await apply([{ messageSid: sid, rawStatus: 'sent', source: 'poll' }]);
    expect(await room.row(adopter)).toMatchObject({ status: 'sent' });
    await apply([{ messageId: owner, attempt: 1, messageSid: sid, rawStatus: 'queued' }]);
    expect(await room.row(owner)).toMatchObject({ status: 'sent', message_sid: sid, sent_at: expect.any(String) });
    expect(await room.row(adopter)).toMatchObject({ status: 'unknown', rank: 0, message_sid: null, sid_source: null, sent_at: null });
    expect((await room.logs([sid])).every((line) => line['message_id'] === owner)).toBe(true);
    expect(await room.db.sql`SELECT FROM outcome_searches WHERE message_id = ${adopter}`).toHaveLength(0);
    expect(await room.db.sql`SELECT action, details FROM audit_log WHERE message_id = ${adopter}`).toEqual([
      { action: 'adoption_revoked', details: { messageSid: sid, attempt: 1 } },
    ]);
  });

  it('is its own for good once a callback names it with that sid', async () => {
    const { adopter, sid } = await adopted();
    await apply([{ messageId: adopter, attempt: 1, messageSid: sid, rawStatus: 'queued' }]);
    expect(await room.row(adopter)).toMatchObject({ status: 'queued', sid_source: 'callback' });
    await apply([{ messageId: await claimed(), attempt: 1, messageSid: sid, rawStatus: 'sent' }]);
    expect(await room.row(adopter)).toMatchObject({ message_sid: sid });
  });

  it('makes way for the sid that its own callback brings, and is a message of nobody until its owner is known', async () => {
    const { adopter, sid } = await adopted();
    const [own, owner] = [randomSid(), await claimed()];
    await apply([{ messageSid: sid, rawStatus: 'read', source: 'list' }]);
    await apply([{ messageId: adopter, attempt: 1, messageSid: own, rawStatus: 'sent' }]);
    expect(await room.row(adopter)).toMatchObject({ status: 'sent', message_sid: own, sid_source: 'callback', read_at: null });
    expect(await room.row(externalMessageId(sid))).toMatchObject({ status: 'read', message_sid: sid, origin: 'external' });
    expect(await room.logs([sid])).toEqual([expect.objectContaining({ message_id: externalMessageId(sid) })]);
    await apply([{ messageId: owner, attempt: 1, messageSid: sid, rawStatus: 'sent' }]);
    expect(await room.row(owner)).toMatchObject({ status: 'read', message_sid: sid });
    expect(await room.row(externalMessageId(sid))).toBeNull();
  });
});

async function apply(events: readonly Partial<StatusEvent>[]) {
  return valuesOf(await applyStatuses(room.db, events.map(statusEvent)));
}

function failed(errorCode: number | null) {
  return { rawStatus: 'failed', errorCode };
}

function undelivered(errorCode: number | null) {
  return { rawStatus: 'undelivered', errorCode };
}

function at(ms: number): string {
  return new Date(Date.UTC(2026, 0, 2, 3, 4, 5) + ms).toISOString();
}

async function claimed(next?: (id: string, token: string) => Promise<unknown>): Promise<string> {
  const { id } = await room.insert();
  const { token } = await room.claim(id);
  await next?.(id, token);
  return id;
}

async function record(id: string, token: string, outcome: ReturnType<typeof throttled>) {
  valuesOf(await recordOutcome(room.db, [{ id, attempt: 1, token, outcome }]));
}

/** A message whose first attempt was throttled and whose second one is under way. */
async function secondAttempt() {
  const id = await claimed((rowId, token) => record(rowId, token, throttled(0)));
  expect((await room.claim(id, randomUUID())).answer).toMatchObject({ request: { attempt: 2 } });
  return { id, sid: randomSid() };
}

async function adopted() {
  const adopter = await claimed((id, token) => record(id, token, unknownOutcome()));
  const sid = randomSid();
  await room.db.sql`
    UPDATE whatsapp_messages SET message_sid = ${sid}, sid_source = 'adopted', status = 'queued', rank = 20 WHERE id = ${adopter}`;
  await room.db.sql`INSERT INTO outcome_searches (message_id, attempt, looks) VALUES (${adopter}, 1, 2)`;
  return { adopter, sid };
}
