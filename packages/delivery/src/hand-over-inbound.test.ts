import { inboundMessage, randomSid } from '@tickmark/testing';
import { beforeEach, expect, it } from 'vitest';
import { deliveryRoom, valuesOf } from './fixtures/delivery-room.ts';
import { findNotHandedOver, markHandedOver } from './hand-over-inbound.ts';
import { recordInbound } from './record-inbound.ts';

const room = deliveryRoom();

beforeEach(async () => {
  await room.db.sql`TRUNCATE inbound_messages`;
});

/** Stored a while ago: who stored it would have handed it over by now. */
async function storedLongAgo(...values: Parameters<typeof inboundMessage>) {
  const message = inboundMessage(...values);
  valuesOf(await recordInbound(room.db, [message]));
  await room.db.sql`UPDATE inbound_messages SET created_at = now() - interval '11 s' WHERE message_sid = ${message.messageSid}`;
  return message;
}

const find = (limit = 10) => findNotHandedOver(room.db, { limit });

it('what was not handed over is found with all that was received', async () => {
  const message = await storedLongAgo({
    messagingServiceSid: 'MG1',
    media: [{ url: 'https://api.twilio.com/x', contentType: null }],
    buttonText: 'Yes',
    buttonPayload: 'yes-1',
    repliedToSid: randomSid(),
    profileName: 'Ann',
    optOutType: 'STOP',
    details: { Latitude: '52.5' },
  });
  expect(await find()).toEqual([message]);
});

it('the oldest come first, and those of this moment not at all', async () => {
  const second = await storedLongAgo({ receivedAt: '2026-01-02T00:00:00.000Z' });
  const first = await storedLongAgo({ receivedAt: '2026-01-01T00:00:00.000Z' });
  valuesOf(await recordInbound(room.db, [inboundMessage({ receivedAt: '2025-12-31T00:00:00.000Z' })]));
  expect(await find()).toEqual([first, second]);
  expect(await find(1)).toEqual([first]);
});

it('what is marked is not found again, and keeps its first time', async () => {
  const message = await storedLongAgo();
  await markHandedOver(room.db, [message.messageSid]);
  expect(await find()).toEqual([]);
  const marked = () => room.db.sql`SELECT handed_over_at FROM inbound_messages WHERE message_sid = ${message.messageSid}`;
  const [before] = await marked();
  await markHandedOver(room.db, [message.messageSid, randomSid()]);
  expect((await marked())[0]).toEqual(before);
  await markHandedOver(room.db, []);
});
