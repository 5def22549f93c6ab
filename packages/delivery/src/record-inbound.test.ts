import type { InboundMessage } from '@tickmark/domain';
import { inboundMessage, randomPhone, randomSid, waitFor } from '@tickmark/testing';
import { expect, it } from 'vitest';
import { deliveryRoom, valuesOf } from './fixtures/delivery-room.ts';
import { recordInbound } from './record-inbound.ts';

const room = deliveryRoom();

it('a message from a person is stored with all that was received', async () => {
  const message = inbound({
    media: [{ url: 'https://api.twilio.com/x', contentType: 'image/png' }],
    buttonText: 'Yes',
    buttonPayload: 'order-7',
    repliedToSid: randomSid(),
    optOutType: 'STOP',
    details: { Latitude: '52.5', ReferralSourceId: 'ad-1' },
  });
  const { messageSid, receivedAt } = message;
  expect(valuesOf(await recordInbound(room.db, [message]))).toEqual([{ messageSid, stored: true, receivedAt }]);
  const [row] = await room.db.sql`SELECT to_jsonb(i) AS row FROM inbound_messages i WHERE message_sid = ${message.messageSid}`;
  expect(row?.['row']).toMatchObject({
    from_address: message.from,
    to_address: message.to,
    body: message.body,
    media: message.media,
    button_text: 'Yes',
    button_payload: 'order-7',
    replied_to_sid: message.repliedToSid,
    profile_name: 'Ann',
    opt_out_type: 'STOP',
    details: message.details,
    handed_over_at: null,
  });
});

it('the same message again, in one batch or in many, is stored once', async () => {
  const message = inbound();
  const settled = await Promise.all([
    recordInbound(room.db, [message, message]),
    recordInbound(room.db, [message]),
    recordInbound(room.db, [message]),
  ]);
  expect(settled.flatMap(valuesOf).filter(({ stored }) => stored)).toHaveLength(1);
});

it('a message that is repeated was said, and opens the window, when it was first heard of', async () => {
  const first = inbound({ receivedAt: '2026-03-01T10:00:00.000Z' });
  const again = { ...first, receivedAt: '2026-03-01T10:00:15.000Z' };
  const later = { ...first, receivedAt: '2026-03-01T10:00:20.000Z' };
  const answers = [...valuesOf(await recordInbound(room.db, [again, first])), ...valuesOf(await recordInbound(room.db, [later]))];
  expect(answers.map(({ stored, receivedAt }) => ({ stored, receivedAt }))).toEqual(
    [true, false, false].map((stored) => ({ stored, receivedAt: first.receivedAt })),
  );
  expect((await windowOf(first.from))?.last).toEqual(new Date(first.receivedAt));
});

it('is told the first time also when the first is being stored at this moment', async () => {
  const first = inbound({ receivedAt: '2026-03-02T10:00:00.000Z' });
  const again = { ...first, receivedAt: '2026-03-02T10:00:15.000Z' };
  const { repeated } = await room.db.sql.begin(async (tx) => {
    await tx`INSERT INTO inbound_messages (message_sid, from_address, to_address, received_at)
      VALUES (${first.messageSid}, ${first.from}, ${first.to}, ${first.receivedAt})`;
    const [{ pid: holder }] = await tx<[{ pid: number }]>`SELECT pg_backend_pid() AS pid`;
    const waiting = recordInbound(room.db, [again]);
    await waitFor(async () => (await room.db.sql`SELECT FROM pg_stat_activity WHERE ${holder} = ANY (pg_blocking_pids(pid))`).length === 1);
    // In an object, because a promise itself would be awaited before the commit that it waits for.
    return { repeated: waiting };
  });
  expect(valuesOf(await repeated)).toEqual([{ messageSid: first.messageSid, stored: false, receivedAt: first.receivedAt }]);
  expect((await windowOf(first.from))?.last).toEqual(new Date(first.receivedAt));
});

it('is told the first time also when the repetition is stored before it', async () => {
  const first = inbound({ receivedAt: '2026-03-03T10:00:00.000Z' });
  valuesOf(await recordInbound(room.db, [{ ...first, receivedAt: '2026-03-03T10:00:15.000Z' }]));
  const { messageSid, receivedAt } = first;
  expect(valuesOf(await recordInbound(room.db, [first]))).toEqual([{ messageSid, stored: false, receivedAt }]);
  const [row] = await room.db.sql`SELECT received_at FROM inbound_messages WHERE message_sid = ${messageSid}`;
  expect(row?.['received_at']).toEqual(new Date(receivedAt));
});

it('the window follows the latest message, whatever the order', async () => {
  const from = `whatsapp:${randomPhone()}`;
  const times = ['2026-01-02T00:00:00.000Z', '2026-01-04T00:00:00.000Z', '2026-01-03T00:00:00.000Z', '2026-01-01T00:00:00.000Z'];
  for (const receivedAt of times) valuesOf(await recordInbound(room.db, [inbound({ from, receivedAt })]));
  expect(await windowOf(from)).toEqual({ first: new Date('2026-01-01T00:00:00.000Z'), last: new Date('2026-01-04T00:00:00.000Z') });
});

it('the window is per person, and a business-scoped user id is a person too', async () => {
  const [one, other] = [`whatsapp:${randomPhone()}`, `whatsapp:US.${randomSid()}`];
  const batch = [one, other, one].map((from, index) => inbound({ from, receivedAt: `2026-02-0${index + 1}T00:00:00.000Z` }));
  valuesOf(await recordInbound(room.db, batch));
  expect((await windowOf(one))?.last).toEqual(new Date('2026-02-03T00:00:00.000Z'));
  expect((await windowOf(other))?.last).toEqual(new Date('2026-02-02T00:00:00.000Z'));
});

it('a message through a Messaging Service opens the window of the service and of the number', async () => {
  const service = `MG${randomSid().slice(2)}`;
  const message = inbound({ messagingServiceSid: service });
  valuesOf(await recordInbound(room.db, [message, inbound({ from: message.from })]));
  const rows = await room.db.sql`SELECT sender_address FROM customer_service_windows WHERE recipient = ${message.from} ORDER BY 1`;
  expect(rows.map((row) => row['sender_address'] as string)).toEqual([service, message.to]);
});

it('answers are in the order of the messages', async () => {
  const batch = [inbound(), inbound(), inbound()].toSorted((a, b) => (a.messageSid < b.messageSid ? 1 : -1));
  expect(valuesOf(await recordInbound(room.db, batch)).map(({ messageSid }) => messageSid)).toEqual(batch.map((m) => m.messageSid));
});

async function windowOf(recipient: string) {
  const rows = await room.db.sql<{ first: Date; last: Date }[]>`
    SELECT first_inbound_at AS first, last_inbound_at AS last FROM customer_service_windows
    WHERE recipient = ${recipient} AND sender_address = 'whatsapp:+14155238886'`;
  return rows[0];
}

function inbound(overrides: Partial<InboundMessage> = {}): InboundMessage {
  return inboundMessage({ to: 'whatsapp:+14155238886', profileName: 'Ann', ...overrides });
}
