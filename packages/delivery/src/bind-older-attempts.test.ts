import { externalMessageId } from '@tickmark/domain';
import { randomSid, statusEvent } from '@tickmark/testing';
import { describe, expect, it } from 'vitest';
import { applyStatuses } from './apply-statuses.ts';
import { accepted, deliveryRoom, rejected, throttled, unknownOutcome, valuesOf } from './fixtures/delivery-room.ts';
import { moveClaim, unknownMessage } from './fixtures/unknown-rows.ts';
import { recordLooks } from './record-looks.ts';
import { recordOutcome } from './record-outcome.ts';
import { releaseClaim } from './release-claim.ts';

const room = deliveryRoom();

/** What becomes of the second attempt, so that the row waits for a third one. */
const MADE_NOTHING: [name: string, end: (id: string, token: string) => Promise<unknown>][] = [
  ['was throttled', (id, token) => record(id, 2, token, throttled(0))],
  ['was never called', (id, token) => releaseClaim(room.db, [{ id, token }])],
];

describe.each(MADE_NOTHING)('after a resend that %s, news that the first attempt was created', (_name, end) => {
  it.each(['queued', 'sent', 'delivered'])('averts the third: a callback says "%s"', async (rawStatus) => {
    const { id } = await resent(end);
    const sid = randomSid();
    const [applied] = await apply({ messageId: id, attempt: 1, messageSid: sid, rawStatus });
    expect(applied).toMatchObject({ kind: 'bound', messageId: id, to: rawStatus, logged: true });
    await isAverted(id, sid, rawStatus);
    await apply({ messageSid: sid, rawStatus: 'read', source: 'poll' });
    expect(await room.row(id)).toMatchObject({ status: 'read', duplicate: false });
  });

  it('averts the third: its record comes late', async () => {
    const { id, token } = await resent(end);
    const sid = randomSid();
    expect(await record(id, 1, token, accepted(sid))).toEqual([{ kind: 'merged' }]);
    await isAverted(id, sid, 'queued');
    expect(await room.attempts(id)).toMatchObject([{ attempt: 1, message_sid: null, outcome: 'accepted' }]);
    expect(await record(id, 1, token, accepted(sid))).toEqual([{ kind: 'merged' }]);
  });

  it('averts the third when it came while the second was under way', async () => {
    const sid = randomSid();
    const { id } = await resent(async (rowId, token) => {
      await apply({ messageId: rowId, attempt: 1, messageSid: sid, rawStatus: 'sent' });
      expect(await room.row(rowId)).toMatchObject({ status: 'sending', message_sid: null });
      await end(rowId, token);
    });
    await isAverted(id, sid, 'sent');
    expect(await room.row(id)).toMatchObject({ sent_at: expect.any(String) });
    await apply({ messageId: id, attempt: 1, messageSid: sid, rawStatus: 'delivered' });
    expect(await room.row(id)).toMatchObject({ status: 'delivered', duplicate: false });
  });
});

it('a message that is held after a refused resend is not sent any more when its first attempt turns out to be created', async () => {
  const { id } = await resent((rowId, token) => record(rowId, 2, token, rejected(), { action: 'hold', opens: null }));
  expect(await room.row(id)).toMatchObject({ status: 'held', error_code: 21211 });
  const sid = randomSid();
  await apply({ messageId: id, attempt: 1, messageSid: sid, rawStatus: 'sent' });
  await isAverted(id, sid, 'sent');
  expect(await room.row(id)).toMatchObject({ error_code: null });
});

it('a first attempt that failed averts nothing, also when an earlier status of it comes late', async () => {
  const { id } = await resent((rowId, token) => releaseClaim(room.db, [{ id: rowId, token }]));
  const sid = randomSid();
  for (const rawStatus of ['failed', 'sent']) await apply({ messageId: id, attempt: 1, messageSid: sid, rawStatus });
  expect(await room.attempts(id)).toMatchObject([{ attempt: 1, message_sid: sid, status: 'failed' }]);
  expect((await room.claim(id)).answer).toMatchObject({ kind: 'claimed', request: { attempt: 3 } });
});

it('of an external row that turns out to be the first attempt the log and the times move', async () => {
  const { id } = await resent((rowId, token) => releaseClaim(room.db, [{ id: rowId, token }]));
  const sid = randomSid();
  await apply({ messageSid: sid, rawStatus: 'sent' });
  await apply({ messageId: id, attempt: 1, messageSid: sid, rawStatus: 'queued' });
  await isAverted(id, sid, 'sent');
  expect(await room.row(externalMessageId(sid))).toBeNull();
  expect((await room.logs([sid])).map((line) => line['message_id'])).toEqual([id, id]);
});

it('of two attempts that were created the later one is the row’s, the other is kept', async () => {
  const { id } = await resent((rowId, token) => releaseClaim(room.db, [{ id: rowId, token }]));
  const { token } = await room.claim(id);
  await releaseClaim(room.db, [{ id, token }]);
  const [first, second] = [randomSid(), randomSid()];
  await apply(
    { messageId: id, attempt: 1, messageSid: first, rawStatus: 'sent' },
    { messageId: id, attempt: 2, messageSid: second, rawStatus: 'queued' },
  );
  expect(await room.row(id)).toMatchObject({ message_sid: second, status: 'queued' });
  expect(await room.attempts(id)).toMatchObject([
    { attempt: 1, message_sid: first, status: 'sent' },
    { attempt: 2, message_sid: null },
  ]);
});

/** A message whose first attempt is said to be absent, and whose second one ended as told. */
async function resent(end: (id: string, token: string) => Promise<unknown>) {
  const { id, token } = await unknownMessage(room, 400, { onUnknown: 'resend' });
  for (const looksBefore of [0, 1]) await recordLooks(room.db, [{ id, attempt: 1, looksBefore, kind: 'absent', candidates: [] }]);
  expect(await room.row(id)).toMatchObject({ status: 'retrying', resends: 1 });
  const second = await room.claim(id);
  expect(second.answer).toMatchObject({ kind: 'claimed', request: { attempt: 2 } });
  await end(id, second.token);
  await moveClaim(room, id, 100);
  return { id, token };
}

async function isAverted(id: string, sid: string, status: string): Promise<void> {
  expect((await room.claim(id)).answer).toEqual({ kind: 'ended', status, byClaim: false, errorCode: null });
  expect(await room.row(id)).toMatchObject({ status, message_sid: sid, attempts: 2 });
  const elsewhere = await room.db.sql`SELECT FROM message_attempts WHERE message_sid = ${sid}`;
  expect(elsewhere).toHaveLength(0);
}

async function apply(...events: Parameters<typeof statusEvent>[0][]) {
  return valuesOf(await applyStatuses(room.db, events.map(statusEvent)));
}

async function record(
  id: string,
  attempt: number,
  token: string,
  outcome: ReturnType<typeof unknownOutcome>,
  refusal?: { action: 'hold'; opens: null },
) {
  return valuesOf(await recordOutcome(room.db, [{ id, attempt, token, outcome }], refusal && (() => refusal)));
}
