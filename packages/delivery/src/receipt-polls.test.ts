import { randomSid, statusEvent } from '@tickmark/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { applyStatuses } from './apply-statuses.ts';
import { deliveryRoom, valuesOf } from './fixtures/delivery-room.ts';
import { findDuePolls, noteUnfinished, settlePoll } from './receipt-polls.ts';

const room = deliveryRoom();
const SURE = { sureAfterSeconds: 43_200 };

beforeEach(() => room.db.sql`TRUNCATE whatsapp_messages, receipt_polls, system_state`);

const walk = (limit = 100, sample = 0) => noteUnfinished(room.db, { olderThanSeconds: 900, sample, ...SURE, limit });
const due = async () => (await findDuePolls(room.db, { ...SURE, limit: 100 })).map(({ messageId }) => messageId);
const noted = async () => (await room.db.sql`SELECT message_id FROM receipt_polls`).map((row) => String(row['message_id'])).toSorted();

/** Lets a message have come, and its call have been made, so long ago. */
async function age(id: string, seconds: number): Promise<void> {
  await room.db.sql`
    UPDATE whatsapp_messages SET created_at = now() - ${seconds} * interval '1 second',
      claimed_at = CASE WHEN claimed_at IS NOT NULL THEN now() - ${seconds} * interval '1 second' END
    WHERE id = ${id}`;
}

/** As a worker does that gets an answer for each. */
async function askAll() {
  const polls = await findDuePolls(room.db, { ...SURE, limit: 10 });
  await Promise.all(polls.map((poll) => settlePoll(room.db, { ...poll, answer: 'sent' }, SURE)));
  return polls;
}

const letAllBeDue = () => room.db.sql`UPDATE receipt_polls SET due_at = now()`;

async function sent(seconds: number): Promise<{ id: string; sid: string }> {
  const { message, sid } = await room.sendAccepted();
  await age(message.id, seconds);
  return { id: message.id, sid };
}

const tell = async (sid: string, rawStatus: string) =>
  valuesOf(await applyStatuses(room.db, [statusEvent({ messageSid: sid, rawStatus })]));

describe('the walk', () => {
  it('notes what is unfinished and old enough, once, and goes on where it ended', async () => {
    const [late, finished, young] = [await sent(1_000), await sent(1_100), await sent(800)];
    await tell(finished.sid, 'delivered');
    await tell(randomSid(), 'sent');
    await room.db.sql`UPDATE whatsapp_messages SET created_at = now() - interval '1 hour' WHERE origin = 'external'`;
    expect(await walk()).toBe(3);
    expect(await noted()).toEqual([late.id]);
    await room.db.sql`DELETE FROM receipt_polls`;
    expect(await walk()).toBe(0);
    await age(young.id, 901);
    expect(await walk()).toBe(1);
    expect(await noted()).toEqual([young.id]);
  });

  it('also sees what was stored long after it was accepted', async () => {
    await sent(1_000);
    await walk();
    const late = await room.insert({ acceptedAt: new Date(Date.now() - 3_600_000).toISOString() });
    expect(await noteUnfinished(room.db, { olderThanSeconds: 599, sample: 0, ...SURE, limit: 100 })).toBe(1);
    expect(await noted()).toContain(late.id);
  });

  it('leaves none out when many came in the same millisecond', async () => {
    const messages = [await sent(1_000), await sent(1_000), await sent(1_000), await sent(1_000), await sent(1_000)];
    await room.db.sql`UPDATE whatsapp_messages SET created_at = (SELECT min(created_at) FROM whatsapp_messages)`;
    expect([await walk(2), await walk(2), await walk(2)]).toEqual([2, 2, 1]);
    expect(await noted()).toEqual(messages.map(({ id }) => id).toSorted());
  });

  it('has a sample asked about at once, the rest twelve hours after its call', async () => {
    for (let count = 0; count < 6; count += 1) await sent(1_000);
    await walk(100, 2);
    expect(await due()).toHaveLength(2);
    const [latest] = await room.db.sql`SELECT max(due_at) - now() BETWEEN interval '11 h' AND interval '12 h' AS ok FROM receipt_polls`;
    expect(latest).toEqual({ ok: true });
  });
});

describe('a message that is due', () => {
  it('and has ended meanwhile, or is gone, is forgotten without a question', async () => {
    const [arrived, deleted, open] = [await sent(1_000), await sent(1_000), await sent(1_000)];
    await walk();
    await letAllBeDue();
    await tell(arrived.sid, 'delivered');
    await room.db.sql`DELETE FROM whatsapp_messages WHERE id = ${deleted.id}`;
    expect(await due()).toEqual([open.id]);
    expect(await noted()).toEqual([open.id]);
  });

  it('and was not sent yet comes again: a scheduled one is not lost sight of', async () => {
    const { id } = await room.insert();
    await age(id, 1_000);
    await walk();
    await letAllBeDue();
    expect([await due(), await noted()]).toEqual([[], [id]]);
    expect(await due()).toEqual([]);
  });

  it('is asked about once more twelve hours after its call, and then never again', async () => {
    const { id, sid } = await sent(1_000);
    await walk(100, 1);
    expect(await askAll()).toEqual([{ messageId: id, messageSid: sid, status: 'queued', errorCode: null, isSure: false }]);
    expect(await due()).toEqual([]);
    await age(id, 43_201);
    await letAllBeDue();
    expect(await askAll()).toMatchObject([{ messageId: id, isSure: true }]);
    await letAllBeDue();
    expect([await due(), await noted()]).toEqual([[], []]);
  });
});
