import { randomUUID } from 'node:crypto';
import { externalMessageId } from '@tickmark/domain';
import { randomSid, statusEvent } from '@tickmark/testing';
import { expect, it } from 'vitest';
import { adoptByOperator } from './adopt-by-operator.ts';
import { applyStatuses } from './apply-statuses.ts';
import { deliveryRoom, valuesOf } from './fixtures/delivery-room.ts';
import { listedFor, unknownMessage } from './fixtures/unknown-rows.ts';
import { getUnknown, listUnknown } from './list-unknown.ts';
import { recordLooks } from './record-looks.ts';

const room = deliveryRoom();

const adopt = (id: string, messageSid = randomSid(), attempt = 1) =>
  adoptByOperator(room.db, { id, attempt, messageSid, actor: 'ops', reason: 'seen in the console' });

it('the evidence is told as it was found: what the call brought, the looks and the candidates', async () => {
  const message = await unknownMessage(room, 301);
  const listed = listedFor(message, 300);
  await recordLooks(room.db, [{ id: message.id, attempt: 1, looksBefore: 0, kind: 'ambiguous', candidates: [listed] }]);
  const told = await getUnknown(room.db, message.id);
  expect(told).toEqual({
    id: message.id,
    status: 'unknown',
    attempt: 1,
    sender: 'support',
    from: message.senderAddress,
    to: message.recipient,
    producer: 'shop',
    campaign: null,
    onUnknown: 'hold',
    resends: 0,
    claimedAt: expect.any(String),
    httpStatus: null,
    requestId: null,
    looks: 1,
    absences: 0,
    candidates: [{ sid: listed.messageSid, status: 'sent', createdAt: listed.createdAt.toISOString() }],
    lookedAt: expect.any(String),
    resolvable: true,
  });
  expect(await listUnknown(room.db, { limit: 100 })).toContainEqual(told);
  expect(await getUnknown(room.db, randomUUID())).toBeNull();
});

it('a person’s adoption binds the sid, takes over what was listed of it, and is audited', async () => {
  const message = await unknownMessage(room, 301);
  const listed = listedFor(message, 300, { rawStatus: 'delivered' });
  await recordLooks(room.db, [{ id: message.id, attempt: 1, looksBefore: 0, kind: 'ambiguous', candidates: [listed] }]);
  expect(await adopt(message.id, listed.messageSid)).toBe('adopted');
  expect(await room.row(message.id)).toMatchObject({ status: 'delivered', message_sid: listed.messageSid, sid_source: 'adopted' });
  expect(await room.db.sql`SELECT actor, action, reason FROM audit_log WHERE message_id = ${message.id}`).toEqual([
    { actor: 'ops', action: 'sid_adopted', reason: 'seen in the console' },
  ]);
  expect(await adopt(message.id, listed.messageSid)).toBe('not_unknown');
});

it('a sid that only an external row has is free', async () => {
  const { id } = await unknownMessage(room, 301);
  const messageSid = randomSid();
  valuesOf(await applyStatuses(room.db, [statusEvent({ messageSid, rawStatus: 'read' })]));
  expect(await adopt(id, messageSid)).toBe('adopted');
  expect(await room.row(id)).toMatchObject({ status: 'read' });
  expect(await room.row(externalMessageId(messageSid))).toBeNull();
});

it('what a person adopts is not adopted against what is known', async () => {
  const message = await unknownMessage(room, 301);
  const { id, senderAddress, recipient } = message;
  const { sid } = await room.sendAccepted();
  expect(await adopt(id, sid)).toBe('taken');
  const older = randomSid();
  await room.db.sql`INSERT INTO message_attempts (message_id, attempt, message_sid) VALUES (${randomUUID()}, 1, ${older})`;
  expect(await adopt(id, older)).toBe('taken');
  expect(await adopt(id, randomSid(), 2)).toBe('not_unknown');
  expect(await adopt(randomUUID())).toBe('not_unknown');
  const calling = await room.insert({ senderAddress, recipient });
  await room.claim(calling.id);
  expect(await adopt(id)).toBe('sending');
  expect(await room.row(id)).toMatchObject({ status: 'unknown', message_sid: null });
});
