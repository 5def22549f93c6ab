import { statusEvent } from '@tickmark/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { applyStatuses } from './apply-statuses.ts';
import { deliveryRoom, valuesOf } from './fixtures/delivery-room.ts';
import { getReceiptCompleteness, type ReceiptCompletenessInput } from './get-receipt-completeness.ts';

const room = deliveryRoom();
const MINUTE_MS = 60_000;

beforeEach(() => room.db.sql`TRUNCATE whatsapp_messages, receipt_polls`);

/** A message that Twilio took so many minutes ago, and statuses so many minutes after that. */
async function send(minutesAgo: number, told: [status: string, afterMinutes: number][], contentSid: string | null = null) {
  const { message, sid } = await room.sendAccepted({ contentSid });
  const takenAt = new Date(Date.now() - minutesAgo * MINUTE_MS);
  await room.db.sql`UPDATE whatsapp_messages SET queued_at = ${takenAt}, created_at = ${takenAt} WHERE id = ${message.id}`;
  const events = told.map(([rawStatus, after]) => {
    const receivedAt = new Date(takenAt.getTime() + after * MINUTE_MS).toISOString();
    return statusEvent({ messageId: message.id, attempt: 1, messageSid: sid, rawStatus, receivedAt });
  });
  valuesOf(await applyStatuses(room.db, events));
  return message.id;
}

const ask = (input: ReceiptCompletenessInput = {}) => getReceiptCompleteness(room, input);

/** What the reconciler noted of a message. */
const notePoll = (id: string, dueInMinutes: number, asked: { answer: string; over?: boolean } | null = null) => room.db.sql`
  INSERT INTO receipt_polls (message_id, due_at, asked_at, answer, over)
  VALUES (${id}, now() + ${dueInMinutes} * interval '1 minute', ${asked ? new Date() : null}, ${asked?.answer ?? null}, ${asked?.over ?? false})`;

describe('getReceiptCompleteness', () => {
  it('counts first and final receipts that came in time, the late ones, and those that never came', async () => {
    await send(60, [
      ['sent', 1],
      ['delivered', 2],
    ]);
    await send(60, [['undelivered', 14.9]]);
    await send(60, [
      ['sent', 1],
      ['read', 16],
    ]);
    await send(60, [['sent', 15.5]]);
    await send(60, []);
    await send(14, [['delivered', 1]]);
    await room.insert();
    await room.db.sql`UPDATE whatsapp_messages SET created_at = now() - interval '1 hour' WHERE message_sid IS NULL`;
    await applyStatuses(room.db, [statusEvent()]);
    expect(await ask()).toMatchObject({
      accepted: 5,
      first: { value: 0.6, numerator: 3, denominator: 5 },
      final: { value: 0.4, numerator: 2, denominator: 5 },
      late: 1,
      missing: 2,
    });
    expect(await ask({ withinMinutes: 10 })).toMatchObject({ accepted: 6, final: { numerator: 2, denominator: 6 }, late: 2, missing: 2 });
  });

  it('tells templates and senders apart, and asks about one of them', async () => {
    await send(60, [['delivered', 1]], 'HX1');
    await send(60, [], 'HX1');
    await send(60, [['delivered', 1]]);
    expect((await ask()).groups).toMatchObject([
      { sender: 'support', template: 'HX1', accepted: 2, missing: 1 },
      { sender: 'support', template: null, accepted: 1, missing: 0 },
    ]);
    expect(await ask({ template: 'HX1' })).toMatchObject({ accepted: 2 });
    expect(await ask({ template: 'none' })).toMatchObject({ accepted: 1 });
    expect(await ask({ sender: 'nobody' })).toMatchObject({ accepted: 0, final: { value: null } });
  });

  it('lists the missing ones page by page, the oldest first, over hours', async () => {
    const ids = [];
    for (const minutesAgo of [300, 200, 100, 50]) ids.push(await send(minutesAgo, []));
    const until = new Date();
    const first = await ask({ until, limit: 3 });
    const second = await ask({ until, limit: 3, after: first.next ?? undefined });
    expect([first, second].map(({ missingMessages }) => missingMessages.map(({ id }) => id))).toEqual([ids.slice(0, 3), ids.slice(3)]);
    expect([first.missing, second.missing, second.next]).toEqual([4, 4, null]);
  });

  it('says of each why it is missing, as far as Twilio was asked', async () => {
    const ids = [await send(500, []), await send(400, []), await send(300, []), await send(200, []), await send(100, [])];
    const [never = '', waiting = '', current = '', gone = '', silent = ''] = ids;
    await notePoll(waiting, 30);
    await notePoll(current, 60, { answer: 'queued' });
    await notePoll(gone, 60, { answer: 'gone', over: true });
    await notePoll(silent, -1, { answer: 'failed' });
    const { missingMessages } = await ask();
    expect(missingMessages.map(({ id, reconciler, why }) => [id, reconciler.answer, reconciler.nextAt !== null, why])).toEqual([
      [never, null, false, expect.stringContaining('not asked about it yet. It is noted')],
      [waiting, null, true, expect.stringMatching(/not asked about it yet\. It is asked at/)],
      [current, 'queued', true, expect.stringMatching(/said queued as well.*It is asked at/)],
      [gone, 'gone', false, expect.stringMatching(/does not know this SID.*not asked again/)],
      [silent, 'failed', true, expect.stringMatching(/gave no answer.*within minutes/)],
    ]);
  });

  it.each([
    [{ since: new Date(2_000), until: new Date(1_000) }, 'before until'],
    [{ since: new Date('2026-01-01'), until: new Date('2026-01-10') }, '8 days'],
  ])('refuses a range that it cannot read', async (input, reason) => {
    await expect(ask(input)).rejects.toMatchObject({ code: 'VALIDATION_FAILED', message: expect.stringContaining(reason) });
  });
});
