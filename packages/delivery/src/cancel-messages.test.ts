import { randomUUID } from 'node:crypto';
import { retryMessageId } from '@tickmark/domain';
import { acceptedMessage, randomSid, statusEvent } from '@tickmark/testing';
import { describe, expect, it } from 'vitest';
import { applyStatuses } from './apply-statuses.ts';
import { cancelMessages } from './cancel-messages.ts';
import { accepted, deliveryRoom, rejected, throttled, valuesOf } from './fixtures/delivery-room.ts';
import { insertAccepted } from './insert-accepted.ts';
import { insertRetries, type FailedMessage } from './insert-retries.ts';
import { recordOutcome } from './record-outcome.ts';

const room = deliveryRoom({ max: 10 });

const cancel = async (id: string, producer = 'shop') => valuesOf(await cancelMessages(room.db, [{ id, producer }]))[0];
const RETRY = { action: 'retry', delayMsMin: 120_000, delayMsMax: 600_000, opens: null } as const;
const CANCELED = { result: 'canceled', changed: true };

describe('a request to cancel', () => {
  it.each(['accepted', 'scheduled', 'retrying', 'held'])(
    'ends a message that is %s before it is sent, once and for good',
    async (status) => {
      const { id } = await room.insert();
      await room.db.sql`UPDATE whatsapp_messages SET status = ${status} WHERE id = ${id}`;
      expect(await cancel(id)).toEqual(CANCELED);
      const row = await room.row(id);
      expect(row).toMatchObject({ status: 'canceled', rank: 50, open_status: null, attempts: 0 });
      expect((await room.claim(id)).answer).toMatchObject({ kind: 'ended', status: 'canceled', byClaim: false });
      expect(await cancel(id)).toEqual({ result: 'canceled', changed: false });
      expect(await room.row(id)).toEqual(row);
    },
  );

  it('ends a message that is parked under a stop, whose due time is infinite', async () => {
    const { id } = await room.insert();
    await room.db.sql`UPDATE whatsapp_messages SET due_at = 'infinity' WHERE id = ${id}`;
    expect(await cancel(id)).toEqual(CANCELED);
  });

  it('leaves a message whose call may be under way, and one that Twilio has', async () => {
    const claimed = await room.insert();
    await room.claim(claimed.id);
    expect(await cancel(claimed.id)).toEqual({ result: 'already_sent', changed: false });
    expect(await room.row(claimed.id)).toMatchObject({ status: 'sending' });
    const { message } = await room.sendAccepted();
    expect(await cancel(message.id)).toEqual({ result: 'already_sent', changed: false });
    expect(await room.row(message.id)).toMatchObject({ status: 'queued' });
  });

  it('leaves a message that ended without being sent', async () => {
    const { id } = await room.insert();
    const { token } = await room.claim(id);
    await recordOutcome(room.db, [{ id, attempt: 1, token, outcome: rejected() }]);
    expect(await cancel(id)).toEqual({ result: 'final', changed: false });
  });

  it('ends a message between two tries', async () => {
    const { id } = await room.insert();
    const { token } = await room.claim(id);
    await recordOutcome(room.db, [{ id, attempt: 1, token, outcome: throttled() }]);
    expect(await cancel(id)).toEqual(CANCELED);
  });

  it('finds nothing of another producer, and nothing that does not exist', async () => {
    const { id } = await room.insert();
    expect(await cancel(id, 'mail')).toEqual({ result: 'not_found', changed: false });
    expect(await room.row(id)).toMatchObject({ status: 'accepted' });
    expect(await cancel(randomUUID())).toEqual({ result: 'not_found', changed: false });
    // Also afterwards: the stranger's request has no effect and does not stand in the owner's way.
    expect(await kept(id)).toEqual([]);
    expect(await cancel(id)).toEqual(CANCELED);
  });
});

describe('a request that overtakes its message', () => {
  it('is kept and wins when the message comes', async () => {
    const message = acceptedMessage();
    expect(await cancel(message.id)).toEqual({ result: 'not_found', changed: false });
    expect(await kept(message.id)).toEqual([{ producer: 'shop' }]);
    expect(valuesOf(await insertAccepted(room.db, [message]))[0]).toMatchObject({ status: 'canceled', waiting: false });
    expect(await cancel(message.id)).toEqual({ result: 'canceled', changed: false });
  });

  it.each([
    ['before', ['mail', 'shop']],
    ['after', ['shop', 'mail']],
  ])('still wins when another producer asked about the same id %s it', async (_name, producers) => {
    const [one, inOneBatch] = [acceptedMessage(), acceptedMessage()];
    for (const producer of producers) await cancel(one.id, producer);
    await cancelMessages(
      room.db,
      producers.map((producer) => ({ id: inOneBatch.id, producer })),
    );
    const inserted = valuesOf(await insertAccepted(room.db, [one, inOneBatch]));
    expect(inserted.map(({ status }) => status)).toEqual(['canceled', 'canceled']);
  });

  it('has no effect on the message of another producer', async () => {
    const message = acceptedMessage();
    await cancel(message.id, 'mail');
    expect(valuesOf(await insertAccepted(room.db, [message]))[0]).toMatchObject({ status: 'accepted' });
  });
});

describe('a request about a message that was sent and failed', () => {
  it.each([
    ['waits', RETRY],
    ['is held', { action: 'hold', opens: null } as const],
  ])('ends its retry that %s; the answer is that of the message', async (_name, decision) => {
    const { id } = await fail();
    expect(await retry(id, decision)).not.toBeNull();
    expect(await cancel(id, 'mail')).toEqual({ result: 'not_found', changed: false });
    expect(await room.row(retryMessageId(id))).not.toMatchObject({ status: 'canceled' });
    expect(await cancel(id)).toEqual({ result: 'already_sent', changed: true });
    expect(await room.row(retryMessageId(id))).toMatchObject({ status: 'canceled', rank: 50, attempts: 0 });
    expect(await room.db.sql`SELECT action, details FROM audit_log WHERE message_id = ${retryMessageId(id)}`).toEqual([
      { action: 'retry_canceled', details: { canceled: id } },
    ]);
    expect(await cancel(id)).toEqual({ result: 'already_sent', changed: false });
  });

  it('or that is just being sent is kept: should it fail, no retry is made', async () => {
    const { id } = await fail(async (claimed) => {
      expect(await cancel(claimed)).toEqual({ result: 'already_sent', changed: false });
    });
    expect(await room.row(id)).toMatchObject({ status: 'failed' });
    expect(await retry(id)).toBeNull();
  });

  it('and whose retry it did not see yet is met by that in the claim', async () => {
    const { id } = await fail();
    await retry(id);
    await room.db.sql`UPDATE whatsapp_messages SET due_at = now() WHERE id = ${retryMessageId(id)}`;
    await room.db.sql`INSERT INTO cancel_requests (message_id, producer) VALUES (${id}, 'shop')`;
    expect((await room.claim(retryMessageId(id))).answer).toMatchObject({ kind: 'ended', status: 'canceled' });
  });

  it('leaves a retry whose call may be under way', async () => {
    const { id } = await fail();
    await retry(id);
    await room.db.sql`UPDATE whatsapp_messages SET due_at = now() WHERE id = ${retryMessageId(id)}`;
    await room.claim(retryMessageId(id));
    expect(await cancel(id)).toEqual({ result: 'already_sent', changed: false });
    expect(await room.row(retryMessageId(id))).toMatchObject({ status: 'sending' });
  });

  it('and the making of its retry at once: the retry is not there or canceled', async () => {
    const failed = await Promise.all(Array.from({ length: 30 }, () => fail()));
    await Promise.all(failed.map(async ({ id }) => Promise.all([retry(id), cancel(id)])));
    const left = await room.db.sql`SELECT status FROM whatsapp_messages WHERE retry_of = ANY (${failed.map(({ id }) => id)}::uuid[])`;
    expect(left.filter(({ status }) => status !== 'canceled')).toEqual([]);
  });
});

describe('a batch of requests', () => {
  it('is answered in its order, each request by itself', async () => {
    const [first, second] = [await room.insert(), await room.insert()];
    const ids = [second.id, first.id, randomUUID(), first.id];
    const requests = [...ids.map((id) => ({ id, producer: 'shop' })), { id: second.id, producer: 'mail' }];
    const answers = valuesOf(await cancelMessages(room.db, requests));
    expect(answers.map(({ result }) => result)).toEqual(['canceled', 'canceled', 'not_found', 'canceled', 'not_found']);
  });

  it('meets others with the same messages in other orders without a deadlock', async () => {
    const ids = await Promise.all(Array.from({ length: 40 }, async () => (await room.insert()).id));
    const shuffled = () => ids.toSorted(() => Math.random() - 0.5).map((id) => ({ id, producer: 'shop' }));
    const answers = await Promise.all(Array.from({ length: 8 }, () => cancelMessages(room.db, shuffled())));
    expect(answers.flatMap(valuesOf).filter(({ changed }) => changed)).toHaveLength(40);
  });

  it('and claims of the same messages at once: each is either claimed or canceled, never both', async () => {
    const ids = await Promise.all(Array.from({ length: 60 }, async () => (await room.insert()).id));
    const [canceled, claimed] = await Promise.all([
      Promise.all(ids.map(async (id) => (await cancel(id))?.result === 'canceled')),
      Promise.all(ids.map(async (id) => (await room.claim(id)).answer.kind === 'claimed')),
    ]);
    const both = ids.map((_id, index) => [canceled[index], claimed[index]]);
    expect(both.filter(([one, other]) => one === other)).toEqual([]);
  });
});

/** A message that Twilio had taken and that failed later with a code that may pass by itself. */
async function fail(whileSending?: (id: string) => Promise<void>): Promise<{ id: string }> {
  const { id } = await room.insert();
  const { token } = await room.claim(id);
  await whileSending?.(id);
  const messageSid = randomSid();
  await recordOutcome(room.db, [{ id, attempt: 1, token, outcome: accepted(messageSid) }]);
  valuesOf(await applyStatuses(room.db, [statusEvent({ messageId: id, attempt: 1, messageSid, rawStatus: 'failed', errorCode: 63012 })]));
  return { id };
}

async function retry(id: string, decision: FailedMessage['decision'] = RETRY) {
  return valuesOf(await insertRetries(room.db, [{ id, errorCode: 63012, decision }]))[0];
}

async function kept(id: string) {
  return [...(await room.db.sql`SELECT producer FROM cancel_requests WHERE message_id = ${id}`)];
}
