import { randomPhone, randomSid, statusEvent } from '@tickmark/testing';
import { expect, it } from 'vitest';
import { applyStatuses } from './apply-statuses.ts';
import { findControl } from './find-control.ts';
import { deliveryRoom, valuesOf } from './fixtures/delivery-room.ts';
import { moveClaim, unknownMessage } from './fixtures/unknown-rows.ts';

const room = deliveryRoom();

const newSender = () => `whatsapp:${randomPhone()}`;
const control = async (senderAddress: string, secondsAgo: number) =>
  (await findControl(room.db, { senderAddress, at: new Date(Date.now() - secondsAgo * 1_000), withinSeconds: 600 }))?.messageSid ?? null;
const known = async (senderAddress: string, secondsAgo: number) => {
  const { message, sid } = await room.sendAccepted({ senderAddress });
  await moveClaim(room, message.id, secondsAgo);
  await room.db.sql`UPDATE whatsapp_messages SET created_at = claimed_at - interval '50 milliseconds' WHERE id = ${message.id}`;
  return sid;
};

it('is a message of the same sender and time whose sid is known, rather one from after that time', async () => {
  const sender = newSender();
  expect(await control(sender, 300)).toBeNull();
  const before = await known(sender, 400);
  await known(newSender(), 290);
  expect(await control(sender, 300)).toBe(before);
  const after = await known(sender, 200);
  expect(await control(sender, 300)).toBe(after);
});

it('is none of another time', async () => {
  const sender = newSender();
  await known(sender, 950);
  expect(await control(sender, 300)).toBeNull();
});

it('is none whose sid was adopted by likeness, and none that is not ours', async () => {
  const sender = newSender();
  const { id } = await unknownMessage(room, 290, { senderAddress: sender });
  await room.db.sql`
    UPDATE whatsapp_messages SET message_sid = ${randomSid()}, sid_source = 'adopted', status = 'queued', rank = 20 WHERE id = ${id}`;
  valuesOf(await applyStatuses(room.db, [statusEvent({ from: sender, to: newSender() })]));
  expect(await control(sender, 300)).toBeNull();
});
