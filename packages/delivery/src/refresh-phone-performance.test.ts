import { randomPhone, statusEvent } from '@tickmark/testing';
import { expect, it } from 'vitest';
import { applyStatuses } from './apply-statuses.ts';
import { inTransaction } from './database.ts';
import { deliveryRoom, valuesOf } from './fixtures/delivery-room.ts';
import { foldDeliveryMetrics } from './fold-delivery-metrics.ts';
import { rebuildDeliveryMetrics } from './rebuild-delivery-metrics.ts';
import { forgetPhone, PHONE_MESSAGES_MAX, refreshPhonePerformance } from './refresh-phone-performance.ts';

const room = deliveryRoom();

async function send(recipient: string, rawStatus: string, errorCode: number | null = null) {
  const { message, sid } = await room.sendAccepted({ recipient, sender: 'desk', senderAddress: 'whatsapp:+1' });
  valuesOf(await applyStatuses(room.db, [statusEvent({ messageId: message.id, attempt: 1, messageSid: sid, rawStatus, errorCode })]));
  return message;
}

async function performance(phone: string) {
  const [row] = await room.db.sql<{ row: Record<string, unknown> }[]>`
    SELECT to_jsonb(p) AS row FROM phone_delivery_performance p WHERE phone = ${phone}`;
  return row?.row;
}

it('counts a recipient from its messages and a sender from its hours, with their latest events', async () => {
  const recipient = `whatsapp:${randomPhone()}`;
  await room.db.sql`INSERT INTO senders (alias, address, mps) VALUES ('desk', 'whatsapp:+1', 10)`;
  await send(recipient, 'read');
  await send(recipient, 'failed', 63_016);
  await send(recipient, 'undelivered', 63_024);
  await send(`whatsapp:${randomPhone()}`, 'delivered');
  await foldDeliveryMetrics(room.db);
  expect(await refreshPhonePerformance(room.db)).toBe(2);
  const errors = { failed: 1, undelivered: 1, 'error 63016': 1, 'error 63024': 1 };
  expect(await performance(recipient)).toMatchObject({
    role: 'recipient',
    measures: { messages: 3, attempted: 3, submitted: 3, complete: 3, read: 1, ...errors },
    last_error_code: 63_024,
    last_error_at: expect.any(String),
    last_delivered_at: expect.any(String),
  });
  expect(await performance('whatsapp:+1')).toMatchObject({
    role: 'sender',
    measures: { messages: 4, attempted: 4, read: 1, delivered: 1, ...errors },
    last_error_code: 63_024,
    first_message_at: expect.any(String),
  });
  expect(await refreshPhonePerformance(room.db)).toBe(0);
});

it('sums what one sender was counted under its address and its alias, folded and rebuilt at once', async () => {
  const address = `whatsapp:${randomPhone()}`;
  await room.db.sql`INSERT INTO senders (alias, address, mps) VALUES ('shop', ${address}, 10)`;
  await room.db.sql`
    INSERT INTO whatsapp_messages (id, sender, sender_address, priority, status, rank, created_at)
    SELECT gen_random_uuid(), sender, ${address}, 'bulk', 'sent', 40, '2026-03-01T10:30Z' FROM unnest(${['shop', null, null]}::text[]) AS m (sender)`;
  await foldDeliveryMetrics(room.db);
  const counted = { measures: { messages: 3, sent: 3 } };
  expect(await performance(address)).toMatchObject(counted);
  await room.db.sql`DELETE FROM message_delivery_metrics WHERE hour = '2026-03-01T10:00Z'`;
  await room.db.sql`DELETE FROM phone_delivery_performance WHERE phone = ${address}`;
  await rebuildDeliveryMetrics(room.db, { since: new Date('2026-03-01T10:00Z'), until: new Date('2026-03-01T11:00Z') });
  expect(await performance(address)).toMatchObject(counted);
});

it('counts the latest messages only of a phone that has too many', async () => {
  const recipient = `whatsapp:${randomPhone()}`;
  await room.db.sql`
    INSERT INTO whatsapp_messages (id, recipient, priority, status, rank)
    SELECT gen_random_uuid(), ${recipient}, 'bulk', 'sent', 40 FROM generate_series(0, ${PHONE_MESSAGES_MAX}::int)`;
  await refreshPhonePerformance(room.db);
  expect(await performance(recipient)).toMatchObject({ measures: { messages: PHONE_MESSAGES_MAX, sent: PHONE_MESSAGES_MAX } });
});

it('forgets a phone whose messages are gone, also where it is noted', async () => {
  const recipient = `whatsapp:${randomPhone()}`;
  await send(recipient, 'read');
  await refreshPhonePerformance(room.db);
  await send(recipient, 'read');
  const found = await inTransaction(room.db.sql, async (tx) => {
    await tx`DELETE FROM whatsapp_messages WHERE recipient = ${recipient}`;
    return forgetPhone(tx, recipient);
  });
  expect(found).toBeGreaterThan(1);
  expect(await room.db.sql`SELECT FROM changed_recipients WHERE recipients @> ARRAY[${recipient}]`).toHaveLength(0);
  await refreshPhonePerformance(room.db);
  expect(await performance(recipient)).toBeUndefined();
});
