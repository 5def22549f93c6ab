import { randomUUID } from 'node:crypto';
import { randomSid, statusEvent } from '@tickmark/testing';
import { expect, it } from 'vitest';
import { applyStatuses } from './apply-statuses.ts';
import { deliveryRoom, valuesOf } from './fixtures/delivery-room.ts';
import { listedFor, unknownMessage } from './fixtures/unknown-rows.ts';
import { recordFailedLooks, recordLooks, type Look } from './record-looks.ts';

const room = deliveryRoom();

const look = (id: string, fields: Partial<Look> = {}): Look => ({
  id,
  attempt: 1,
  looksBefore: 0,
  kind: 'absent',
  candidates: [],
  ...fields,
});
const searchOf = async (id: string) => {
  const [row] = await room.db.sql`SELECT looks, absences, candidates FROM outcome_searches WHERE message_id = ${id}`;
  return row ?? null;
};

it('a look that is recorded twice counts once, so that one absence is not proven twice', async () => {
  const { id } = await unknownMessage(room, 61);
  for (let times = 0; times < 3; times++) await recordLooks(room.db, [look(id)]);
  expect(await searchOf(id)).toEqual({ looks: 1, absences: 1, candidates: [] });
  for (let times = 0; times < 2; times++) await recordLooks(room.db, [look(id, { looksBefore: 1 })]);
  expect(await searchOf(id)).toEqual({ looks: 2, absences: 2, candidates: [] });
});

it('a look at a list that proves nothing is a look, and no absence', async () => {
  const { id } = await unknownMessage(room, 61);
  await recordLooks(room.db, [look(id, { kind: 'unproven' })]);
  expect(await searchOf(id)).toMatchObject({ looks: 1, absences: 0 });
});

it('a candidate takes back the absence that was proven before it showed', async () => {
  const message = await unknownMessage(room, 61);
  const listed = listedFor(message, 61);
  await recordLooks(room.db, [look(message.id)]);
  await recordLooks(room.db, [look(message.id, { looksBefore: 1, kind: 'ambiguous', candidates: [listed] })]);
  expect(await searchOf(message.id)).toEqual({
    looks: 2,
    absences: 0,
    candidates: [{ sid: listed.messageSid, status: 'sent', createdAt: listed.createdAt.toISOString() }],
  });
  await recordFailedLooks(
    room.db,
    [message].map(({ id }) => ({ id, attempt: 1 })),
  );
  expect(await searchOf(message.id)).toMatchObject({ looks: 2, candidates: [{ sid: listed.messageSid }] });
});

it('a row that is no longer unknown, or with another attempt, keeps nothing of a look', async () => {
  const [resolved, other] = [await unknownMessage(room, 61), await unknownMessage(room, 61)];
  valuesOf(await applyStatuses(room.db, [statusEvent({ messageId: resolved.id, attempt: 1, messageSid: randomSid() })]));
  await recordLooks(room.db, [look(resolved.id), look(other.id, { attempt: 2 }), look(randomUUID())]);
  await recordFailedLooks(room.db, [{ id: resolved.id, attempt: 1 }]);
  expect([await searchOf(resolved.id), await searchOf(other.id)]).toEqual([null, null]);
});

it('a search that was forgotten while a look was under way begins anew', async () => {
  const { id } = await unknownMessage(room, 61);
  await recordLooks(room.db, [look(id, { looksBefore: 1 })]);
  expect(await searchOf(id)).toBeNull();
});

it('a second proof and the resend that follows from it are one: neither is kept without the other', async () => {
  const { id } = await unknownMessage(room, 301, { onUnknown: 'resend' });
  await recordLooks(room.db, [look(id)]);
  // Something in the way of the resend alone: its entry in the audit log.
  await room.db.sql`ALTER TABLE audit_log ADD CONSTRAINT no_resend CHECK (action <> 'unknown_resent')`;
  await expect(recordLooks(room.db, [look(id, { looksBefore: 1 })])).rejects.toThrow('no_resend');
  expect([await searchOf(id), await room.row(id)]).toMatchObject([{ looks: 1, absences: 1 }, { status: 'unknown' }]);
  await room.db.sql`ALTER TABLE audit_log DROP CONSTRAINT no_resend`;
  expect(await recordLooks(room.db, [look(id, { looksBefore: 1 })])).toEqual([{ id, sender: 'support', priority: 'bulk' }]);
  expect([await searchOf(id), await room.row(id)]).toMatchObject([
    { looks: 2, absences: 2 },
    { status: 'retrying', resends: 1 },
  ]);
});

it('of several looks each is resent by itself, and only what its policy and the proof allow', async () => {
  const [once, twice, other, held] = await Promise.all(
    (['resend', 'resend', 'resend', 'hold'] as const).map((onUnknown) => unknownMessage(room, 301, { onUnknown })),
  );
  const ids = [twice, other, held].map((message) => message?.id ?? '');
  await recordLooks(
    room.db,
    ids.map((id) => look(id)),
  );
  const looks = [look(once?.id ?? ''), ...ids.map((id) => look(id, { looksBefore: 1 }))];
  expect((await recordLooks(room.db, looks)).map(({ id }) => id)).toEqual([twice?.id, other?.id]);
  expect((await room.row(held?.id ?? ''))?.['status']).toBe('unknown');
});
