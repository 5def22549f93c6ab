import { decideOnFailure, retryMessageId, type AcceptedMessage } from '@tickmark/domain';
import { randomSid, statusEvent, waitFor } from '@tickmark/testing';
import { describe, expect, it } from 'vitest';
import { adoptListed } from './adopt-listed.ts';
import { applyStatuses } from './apply-statuses.ts';
import { cancelRetries } from './cancel-retries.ts';
import { deliveryRoom, valuesOf } from './fixtures/delivery-room.ts';
import { listedFor, unknownMessage } from './fixtures/unknown-rows.ts';
import { insertRetries, type FailedMessage } from './insert-retries.ts';

const room = deliveryRoom({ max: 8 });

const RETRY = { action: 'retry', delayMsMin: 120_000, delayMsMax: 600_000, opens: null } as const;
const HOLD = { action: 'hold', opens: null } as const;

describe('a message that failed with a retryable code', () => {
  it('gets a new row with its content, and does not change itself', async () => {
    const failed = await fail({
      campaign: 'spring',
      metadata: { order: '1' },
      priority: 'transactional',
      category: 'utility',
      onUnknown: 'resend',
    });
    const original = await room.row(failed.id);
    const [made] = await retry([failed]);
    expect(made).toMatchObject({
      id: retryMessageId(failed.id),
      waiting: true,
      status: 'scheduled',
      sender: 'support',
      priority: 'transactional',
    });
    expect(await room.row(failed.id)).toEqual(original);
    const copied = ['producer', 'sender', 'sender_address', 'recipient', 'body', 'content_sha256', 'priority', 'category', 'campaign'];
    for (const column of [...copied, 'metadata', 'on_unknown', 'expires_at']) {
      expect([column, (await room.row(retryMessageId(failed.id)))?.[column]]).toEqual([column, original?.[column]]);
    }
    expect(await room.row(retryMessageId(failed.id))).toMatchObject({
      origin: 'retry',
      retry_of: failed.id,
      status: 'scheduled',
      rank: 0,
      attempts: 0,
      message_sid: null,
      request_hash: null,
      error_code: null,
    });
  });

  it('is due at a random time within the range', async () => {
    const failed = await Promise.all(Array.from({ length: 30 }, () => fail()));
    const made = await retry(failed);
    const delays = made.map((row) => (row?.dueAt?.getTime() ?? 0) - Date.now());
    expect(Math.min(...delays)).toBeGreaterThan(90_000);
    expect(Math.max(...delays)).toBeLessThanOrEqual(601_000);
    expect(Math.max(...delays) - Math.min(...delays)).toBeGreaterThan(120_000);
  });

  it('is claimed and sent like any other message, once it is due', async () => {
    const failed = await fail();
    await retry([failed]);
    const id = retryMessageId(failed.id);
    expect((await room.claim(id)).answer).toMatchObject({ kind: 'not_due' });
    await room.db.sql`UPDATE whatsapp_messages SET due_at = now() WHERE id = ${id}`;
    expect((await room.claim(id)).answer).toMatchObject({
      kind: 'claimed',
      request: { recipient: failed.recipient, body: failed.body, attempt: 1 },
    });
  });

  it('gets one retry, however often and in however many batches at once its failure is told', async () => {
    const failed = await fail();
    const answers = await Promise.all(Array.from({ length: 8 }, () => retry([failed, failed])));
    expect(answers.flat().filter((row) => row !== null)).toHaveLength(1);
    expect(await retry([failed])).toEqual([null]);
    expect(await countRetries(failed.id)).toBe(1);
  });

  it('is held for a person when its policy says so, with the code that it is released by', async () => {
    const failed = await fail();
    expect(await retry([{ ...failed, decision: HOLD }])).toMatchObject([{ waiting: false, status: 'held', dueAt: null }]);
    expect(await room.row(retryMessageId(failed.id))).toMatchObject({ status: 'held', error_code: 63012, retry_of: failed.id });
    expect((await room.claim(retryMessageId(failed.id))).answer).toMatchObject({ kind: 'ended', status: 'held' });
  });

  it.each(['failed', 'undelivered'])('is sent again when its status is %s', async (rawStatus) => {
    expect(await retry([await fail({}, { rawStatus })])).toMatchObject([{ status: 'scheduled' }]);
  });
});

describe('no retry is made', () => {
  it('of a retry: a message is sent again once', async () => {
    const failed = await fail();
    await retry([failed]);
    const id = retryMessageId(failed.id);
    await room.db.sql`UPDATE whatsapp_messages SET due_at = now() WHERE id = ${id}`;
    await room.claim(id);
    await tellFailure(id, `SM${'0'.repeat(31)}1`, {});
    expect(await room.row(id)).toMatchObject({ status: 'failed', error_code: 63012, origin: 'retry' });
    expect(await retry([{ id, errorCode: 63012, decision: RETRY }])).toEqual([null]);
  });

  it('when the failure has another code', async () => {
    const failed = await fail();
    expect(await retry([{ ...failed, errorCode: 63010 }])).toEqual([null]);
    expect(await retry([{ ...failed, errorCode: 63010 }, failed])).toMatchObject([{ status: 'scheduled' }, null]);
  });

  it('when the message arrived before the retry was made', async () => {
    const failed = await fail();
    await tell(failed.id, 'delivered');
    expect(await retry([failed])).toEqual([null]);
  });

  it('when the message was refused by the call: that has its own way to be tried again', async () => {
    const { id } = await room.insert();
    await room.db.sql`UPDATE whatsapp_messages SET status = 'failed', rank = 50, error_code = 63012, failed_at = now() WHERE id = ${id}`;
    expect(await retry([{ id, errorCode: 63012, decision: RETRY }])).toEqual([null]);
  });

  it('when it would come after the validity of the message', async () => {
    const ending = await fail({ validityPeriodSeconds: 100 });
    const lasting = await fail({ validityPeriodSeconds: 3_600 });
    expect(await retry([ending, lasting])).toMatchObject([null, { status: 'scheduled' }]);
    expect(await room.row(retryMessageId(lasting.id))).toMatchObject({ expires_at: (await room.row(lasting.id))?.['expires_at'] });
  });

  it.each([
    ['was told more than a day ago', "failed_at = now() - interval '25 hours'"],
    ['is of a message that we did not send', "origin = 'recovered'"],
    ['is of a message whose content was removed', 'body = NULL'],
    ['is of a template whose variables were removed', "body = NULL, content_sid = 'HX1', redacted_at = now()"],
    ['was a cancellation', "status = 'canceled'"],
  ])('when the failure %s', async (_name, change) => {
    const failed = await fail();
    await room.db.sql.unsafe(`UPDATE whatsapp_messages SET ${change} WHERE id = '${failed.id}'`);
    expect(await retry([failed])).toEqual([null]);
  });
});

describe('a failure of a sid that was only adopted', () => {
  it('makes no retry, because it may be another message’s; once a callback names the row it does', async () => {
    const failed = await failAdopted();
    expect(await room.row(failed.id)).toMatchObject({ status: 'failed', error_code: 63012, sid_source: 'adopted' });
    expect(await retry([failed])).toEqual([null]);
    await tellFailure(failed.id, failed.sid, {});
    expect(await retry([failed])).toMatchObject([{ status: 'scheduled' }]);
  });

  it.each([
    ['its true owner is named', async (sid: string) => tell(await claimed(), 'sent', sid)],
    ['the row’s own sid comes', (_sid: string, id: string) => tell(id, 'sent', randomSid())],
  ])('has a retry that waits canceled when %s, audited', async (_name, revoke) => {
    const { id, sid } = await failAdopted();
    const byHand = await room.insert({ id: retryMessageId(id) });
    await room.db.sql`UPDATE whatsapp_messages SET origin = 'retry', retry_of = ${id} WHERE id = ${byHand.id}`;
    await revoke(sid, id);
    expect(await room.row(id)).toMatchObject({ failed_at: null });
    expect((await room.claim(byHand.id)).answer).toMatchObject({ kind: 'ended', status: 'canceled' });
    expect(await room.db.sql`SELECT actor, action, details FROM audit_log WHERE message_id = ${byHand.id}`).toEqual([
      { actor: 'system', action: 'retry_canceled', details: { revoked: id } },
    ]);
  });
});

describe('a message that arrives after its failure', () => {
  it.each([
    ['waits', RETRY],
    ['is held', HOLD],
  ])('has its retry canceled while that %s, audited', async (_name, decision) => {
    const failed = await fail();
    await retry([{ ...failed, decision }]);
    const applied = await tell(failed.id, 'delivered');
    expect(applied).toMatchObject({ messageId: failed.id, to: 'delivered', contradicted: true });
    const id = retryMessageId(failed.id);
    expect(await cancelRetries(room.db, [failed.id])).toEqual([id]);
    expect(await cancelRetries(room.db, [failed.id])).toEqual([]);
    expect(await room.row(id)).toMatchObject({ status: 'canceled', rank: 50 });
    expect((await room.claim(id)).answer).toMatchObject({ kind: 'ended', status: 'canceled' });
    expect(await room.db.sql`SELECT actor, action FROM audit_log WHERE message_id = ${id}`).toEqual([
      { actor: 'system', action: 'retry_canceled' },
    ]);
  });

  it('leaves alone a retry that is under way', async () => {
    const failed = await fail();
    await retry([failed]);
    const id = retryMessageId(failed.id);
    await room.db.sql`UPDATE whatsapp_messages SET due_at = now() WHERE id = ${id}`;
    await room.claim(id);
    expect(await cancelRetries(room.db, [failed.id])).toEqual([]);
    expect(await room.row(id)).toMatchObject({ status: 'sending' });
  });

  it('at the very moment of the retry has none: whoever comes second sees the first', async () => {
    const failed = await fail();
    const arrival = await room.db.sql.reserve();
    await arrival`BEGIN`;
    await arrival`UPDATE whatsapp_messages SET status = 'delivered', rank = 60, error_code = NULL WHERE id = ${failed.id}`;
    let made = false;
    const making = retry([failed]).finally(() => {
      made = true;
    });
    await waitFor(async () => made || (await arrival`SELECT 1 FROM pg_locks WHERE NOT granted`).length > 0);
    await arrival`COMMIT`;
    arrival.release();
    expect(await making).toEqual([null]);
  });
});

type Failed = FailedMessage & Pick<AcceptedMessage, 'recipient' | 'body'>;

/** A message that Twilio had taken and that failed later, as a callback told. */
async function fail(overrides: Partial<AcceptedMessage> = {}, { rawStatus = 'failed' } = {}): Promise<Failed> {
  const { message, sid } = await room.sendAccepted(overrides);
  await tellFailure(message.id, sid, { rawStatus });
  const { id, recipient, body } = message;
  expect(decideOnFailure(63012)).toMatchObject({ action: 'retry' });
  return { id, recipient, body, errorCode: 63012, decision: RETRY };
}

async function tellFailure(messageId: string, messageSid: string, { rawStatus = 'failed' }): Promise<void> {
  valuesOf(await applyStatuses(room.db, [statusEvent({ messageId, attempt: 1, messageSid, rawStatus, errorCode: 63012 })]));
}

/** A message of unknown outcome that took a sid from Twilio's list, which then turned out to have failed. */
async function failAdopted(): Promise<Failed & { sid: string }> {
  const message = await unknownMessage(room, 61);
  const listed = listedFor(message, 61);
  await adoptListed(room.db, { ...message, messages: [listed] });
  const sid = listed.messageSid;
  valuesOf(await applyStatuses(room.db, [statusEvent({ messageSid: sid, rawStatus: 'failed', errorCode: 63012, source: 'list' })]));
  const { id, recipient, body } = message;
  return { id, recipient, body, sid, errorCode: 63012, decision: RETRY };
}

async function claimed(): Promise<string> {
  const { id } = await room.insert();
  await room.claim(id);
  return id;
}

async function tell(messageId: string, rawStatus: string, sid?: string) {
  const messageSid = sid ?? String((await room.row(messageId))?.['message_sid']);
  return valuesOf(await applyStatuses(room.db, [statusEvent({ messageId, attempt: 1, messageSid, rawStatus })]))[0];
}

async function retry(failed: readonly FailedMessage[]) {
  return valuesOf(await insertRetries(room.db, failed));
}

async function countRetries(id: string): Promise<number> {
  return (await room.db.sql`SELECT 1 FROM whatsapp_messages WHERE retry_of = ${id}`).length;
}
