import { randomSid, statusEvent } from '@tickmark/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { applyStatuses } from './apply-statuses.ts';
import { inTransaction } from './database.ts';
import { deliveryRoom, valuesOf } from './fixtures/delivery-room.ts';
import { readMeasures } from './fixtures/read-measures.ts';
import { foldDeliveryMetrics } from './fold-delivery-metrics.ts';
import { rebuildDeliveryMetrics } from './rebuild-delivery-metrics.ts';

const room = deliveryRoom();

beforeEach(async () => {
  await room.db.sql`TRUNCATE whatsapp_messages, message_status_logs, message_delivery_metrics, delivery_metric_changes, changed_recipients`;
});

const countChanges = async () => (await room.db.sql`SELECT FROM delivery_metric_changes`).length;

/** Status of a message so many milliseconds after its acceptance. */
async function tell(
  { message, sid }: Awaited<ReturnType<typeof room.sendAccepted>>,
  rawStatus: string,
  afterMs: number,
  errorCode: number | null = null,
) {
  const receivedAt = new Date(Date.parse(message.acceptedAt) + afterMs).toISOString();
  valuesOf(
    await applyStatuses(room.db, [statusEvent({ messageId: message.id, attempt: 1, messageSid: sid, rawStatus, errorCode, receivedAt })]),
  );
}

async function totals(sender = 'support') {
  const sums = Object.entries(await readMeasures(room.db)).filter(([key]) => key.endsWith(` ${sender}`));
  expect(sums).toHaveLength(1);
  return sums[0]?.[1];
}

describe('rollups', () => {
  it('follow a message from its insert to a late callback, before, between and after folds', async () => {
    const sent = await room.sendAccepted();
    expect(await totals()).toEqual({ messages: 1, queued: 1, submitted: 1, attempted: 1 });
    await tell(sent, 'delivered', 1_000);
    const delivered = { messages: 1, delivered: 1, submitted: 1, attempted: 1, complete: 1, 'toDelivered 173': 1 };
    expect(await totals()).toEqual(delivered);
    expect(await foldDeliveryMetrics(room.db)).toBeGreaterThan(0);
    expect([await totals(), await countChanges()]).toEqual([delivered, 0]);
    await tell(sent, 'delivered', 0);
    await tell(sent, 'sent', 2_000);
    await tell(sent, 'undelivered', 3_000, 63_024);
    const told = { messages: 1, delivered: 1, submitted: 1, attempted: 1, complete: 1, 'toDelivered -1': 1, 'toSent 190': 1 };
    // The error came after the arrival: the row keeps none.
    expect(await totals()).toEqual(told);
    await foldDeliveryMetrics(room.db);
    expect([await totals(), await countChanges()]).toEqual([told, 0]);
  });

  it('count a message once that was taken for a foreign one before it turned out to be ours', async () => {
    const message = await room.insert({ sender: 'support' });
    await room.claim(message.id);
    const sid = randomSid();
    const event = statusEvent({ messageSid: sid, rawStatus: 'delivered', from: message.senderAddress, to: message.recipient });
    valuesOf(await applyStatuses(room.db, [{ ...event, messageId: null, attempt: null }]));
    expect(Object.values(await readMeasures(room.db)).map(({ messages }) => messages)).toContain(1);
    valuesOf(await applyStatuses(room.db, [{ ...event, messageId: message.id, attempt: 1 }]));
    const counted = Object.values(await readMeasures(room.db)).reduce((sum, { messages = 0 }) => sum + messages, 0);
    expect(counted).toBe(1);
  });

  it('count errors by code, and refused messages as attempted', async () => {
    await tell(await room.sendAccepted(), 'undelivered', 100, 63_024);
    await room.db.sql`UPDATE whatsapp_messages SET status = 'failed', rank = 50, error_code = 21211, message_sid = NULL, sid_source = NULL`;
    expect(await totals()).toEqual({ messages: 1, failed: 1, attempted: 1, 'error 21211': 1 });
  });

  it('note nothing of claims and repeated callbacks', async () => {
    const message = await room.insert();
    const before = await countChanges();
    await room.claim(message.id);
    expect(await countChanges()).toBe(before);
    const sent = await room.sendAccepted();
    await tell(sent, 'sent', 10);
    const changes = await countChanges();
    await tell(sent, 'sent', 10);
    expect(await countChanges()).toBe(changes);
  });

  it('move with a message that finds its sender, and keep the row that is empty now', async () => {
    const messageSid = randomSid();
    const from = 'whatsapp:+1';
    valuesOf(await applyStatuses(room.db, [statusEvent({ messageSid, from })]));
    expect(await totals(from)).toMatchObject({ messages: 1, sent: 1 });
    await foldDeliveryMetrics(room.db);
    await room.db.sql`UPDATE whatsapp_messages SET sender = 'support'`;
    await foldDeliveryMetrics(room.db);
    expect(await totals(from)).toEqual({});
    expect(await totals()).toMatchObject({ messages: 1, sent: 1 });
  });

  it('take a whole load in one statement, and count it for the hours of its rows', async () => {
    await room.db.sql`
      INSERT INTO whatsapp_messages (id, sender, recipient, priority, status, rank, created_at, accepted_at, sent_at)
      SELECT gen_random_uuid(), 'support', 'r' || n % 700, 'bulk', 'sent', 40, at, at, at + interval '1 second'
      FROM generate_series(1, 2000) n, LATERAL (SELECT timestamptz '2026-03-01T10:30Z' + n % 2 * interval '1 hour') a (at)`;
    const hour = { messages: 1_000, sent: 1_000, 'toSent 173': 1_000 };
    expect(await readMeasures(room.db)).toEqual({ '2026-03-01T10Z support': hour, '2026-03-01T11Z support': hour });
    const pages = await room.db.sql<{ recipients: string[] }[]>`SELECT recipients FROM changed_recipients`;
    expect(new Set(pages.flatMap(({ recipients }) => recipients)).size).toBe(700);
    expect(Math.max(...pages.map(({ recipients }) => recipients.length))).toBeLessThanOrEqual(500);
  });
});

describe('foldDeliveryMetrics', () => {
  it('loses and doubles nothing when it breaks off, and takes small batches one after the other', async () => {
    for (let n = 0; n < 5; n += 1) await tell(await room.sendAccepted(), 'read', 50);
    await foldDeliveryMetrics(room.db);
    for (let n = 0; n < 5; n += 1) await room.sendAccepted();
    const [expected, waiting] = [await readMeasures(room.db), await countChanges()];
    await inTransaction(room.db.sql, async (tx) => {
      await tx`SELECT FROM message_delivery_metrics FOR UPDATE`;
      // It has deleted the changes already when it waits for this row, and gives up.
      await expect(foldDeliveryMetrics(room.db)).rejects.toMatchObject({ code: '55P03' });
    });
    expect([await readMeasures(room.db), await countChanges()]).toEqual([expected, waiting]);
    expect(await foldDeliveryMetrics(room.db, { batchRows: 3 })).toBe(waiting);
    expect([await readMeasures(room.db), await countChanges()]).toEqual([expected, 0]);
  });

  it('leaves it to another process that is at it', async () => {
    await room.insert();
    await inTransaction(room.db.sql, async (tx) => {
      await tx`SELECT pg_advisory_xact_lock(hashtextextended('delivery rollups', 0))`;
      expect(await foldDeliveryMetrics(room.db)).toBeNull();
    });
    expect(await foldDeliveryMetrics(room.db)).toBe(1);
  });
});

describe('rebuildDeliveryMetrics', () => {
  it('counts from the messages what triggers did not note, and nothing twice that they did', async () => {
    await tell(await room.sendAccepted(), 'delivered', 700);
    await foldDeliveryMetrics(room.db);
    await tell(await room.sendAccepted(), 'read', 900);
    const expected = await readMeasures(room.db);
    await room.db.sql`UPDATE message_delivery_metrics SET measures = '{"messages": 17, "held": 3}'`;
    expect(await rebuildDeliveryMetrics(room.db)).toEqual({ hours: 1 });
    expect([await readMeasures(room.db), await countChanges()]).toEqual([expected, 0]);
  });

  it('leaves hours outside its range and hours without messages as they are', async () => {
    const insert = (at: string) => room.db.sql`
      INSERT INTO whatsapp_messages (id, sender, priority, status, rank, created_at) VALUES (gen_random_uuid(), 'support', 'bulk', 'sent', 40, ${at})`;
    await insert('2026-03-01T09:59:59.999Z');
    await insert('2026-03-01T10:00Z');
    await insert('2026-03-01T11:00Z');
    await foldDeliveryMetrics(room.db);
    await room.db.sql`DELETE FROM whatsapp_messages WHERE created_at < '2026-03-01T10:00Z'`;
    const expected = await readMeasures(room.db);
    const range = { since: new Date('2026-03-01T09:30Z'), until: new Date('2026-03-01T11:00Z') };
    expect(await rebuildDeliveryMetrics(room.db, range)).toEqual({ hours: 1 });
    expect(await readMeasures(room.db)).toEqual(expected);
  });
});
