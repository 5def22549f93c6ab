import { randomSid, statusEvent } from '@tickmark/testing';
import { expect, it } from 'vitest';
import { applyStatuses } from './apply-statuses.ts';
import { closeUnknown } from './close-unknown.ts';
import { deliveryRoom, valuesOf } from './fixtures/delivery-room.ts';
import { unknownMessage } from './fixtures/unknown-rows.ts';

const room = deliveryRoom();

const close = (id: string, attempt = 1) => closeUnknown(room.db, { id, attempt, actor: 'ops', reason: 'the person was called' });

it('an unknown message that is given up is failed without an error code, and the audit log says who and why', async () => {
  const { id } = await unknownMessage(room, 301);
  expect(await close(id)).toBe(true);
  expect(await room.row(id)).toMatchObject({
    status: 'failed',
    rank: 50,
    error_code: null,
    message_sid: null,
    failed_at: expect.any(String),
  });
  expect(await room.db.sql`SELECT actor, action, reason FROM audit_log WHERE message_id = ${id}`).toEqual([
    { actor: 'ops', action: 'unknown_closed', reason: 'the person was called' },
  ]);
  expect(await close(id)).toBe(false);
});

it('what is heard of it later still wins', async () => {
  const { id } = await unknownMessage(room, 301);
  await close(id);
  const messageSid = randomSid();
  valuesOf(await applyStatuses(room.db, [statusEvent({ messageId: id, attempt: 1, messageSid, rawStatus: 'delivered' })]));
  expect(await room.row(id)).toMatchObject({ status: 'delivered', message_sid: messageSid, contradicted: true });
});

it.each([
  ['before five minutes', () => unknownMessage(room, 295), 1],
  ['with another attempt', () => unknownMessage(room, 301), 2],
  ['that has its sid', () => room.sendAccepted().then(({ message }) => message), 1],
])('a message %s is not closed', async (_name, make, attempt) => {
  const { id } = await make();
  const before = await room.row(id);
  expect(await close(id, attempt)).toBe(false);
  expect(await room.row(id)).toEqual(before);
});
