import { MESSAGE_STATUSES, retryMessageId, type AcceptedMessage, type MessageStatus } from '@tickmark/domain';
import { randomSid } from '@tickmark/testing';
import { describe, expect, it } from 'vitest';
import { cancelMessages } from './cancel-messages.ts';
import { deliveryRoom, rejected } from './fixtures/delivery-room.ts';
import { insertRetries } from './insert-retries.ts';
import { recordOutcome } from './record-outcome.ts';
import { recordSuppressions } from './record-suppressions.ts';
import { retryFailedMessages, type RetriedMessage, type RetryFailedInput } from './retry-failed-messages.ts';

const room = deliveryRoom({ max: 8 });

/** A code that passes by itself, one that does not, and one after which the message may have arrived. */
const [PASSES, PERMANENT, SAYS_NOTHING] = [63012, 21211, 30008];

describe('a failed message that is sent again by hand', () => {
  it('gets a new row with its content, due now, and a job; it does not change itself, and the audit log knows who and why', async () => {
    const failed = await fail({ campaign: 'spring', metadata: { order: '1' }, priority: 'transactional', category: 'utility' });
    const original = await room.row(failed.id);
    const { result, enqueued } = await retry([failed.id]);
    const id = retryMessageId(failed.id);
    expect(result).toEqual({ matched: 1, toSend: 1, made: 1, skipped: [] });
    expect(enqueued).toEqual([expect.objectContaining({ id, sender: 'support', priority: 'transactional', dueAt: expect.any(Date) })]);
    expect(await room.row(failed.id)).toEqual(original);
    const made = await room.row(id);
    for (const column of [
      'producer',
      'sender',
      'sender_address',
      'recipient',
      'body',
      'content_sha256',
      'category',
      'campaign',
      'metadata',
    ]) {
      expect([column, made?.[column]]).toEqual([column, original?.[column]]);
    }
    expect(made).toMatchObject({
      origin: 'retry',
      retry_of: failed.id,
      status: 'accepted',
      attempts: 0,
      error_code: null,
      message_sid: null,
    });
    expect(
      await room.db.sql`SELECT actor, action, reason, details->>'retry' AS retry FROM audit_log WHERE message_id = ${failed.id}`,
    ).toEqual([{ actor: 'boss', action: 'message_retried', reason: 'the outage is over', retry: id }]);
    expect((await room.claim(id)).answer).toMatchObject({ kind: 'claimed' });
  });

  it('has no second retry, however often and at whatever moment it is asked for', async () => {
    const failed = await Promise.all(Array.from({ length: 20 }, () => fail()));
    const ids = failed.map(({ id }) => id);
    const both = await Promise.all([retry(ids), retry(ids)]);
    expect(both.map(({ result }) => result.made).reduce((a, b) => a + b)).toBe(20);
    expect((await retry(ids)).result).toEqual({
      matched: 20,
      toSend: 0,
      made: 0,
      skipped: ids.map((id) => ({ id, why: 'already_retried' })),
    });
    expect((await retry(ids, { dryRun: true })).result.toSend).toBe(0);
    expect(await countRetries(ids)).toBe(20);
  });

  it('has none besides its automatic one, and its retry may be retried in its turn when that failed', async () => {
    const failed = await fail();
    await room.db.sql`UPDATE whatsapp_messages SET message_sid = ${randomSid()}, sid_source = 'record' WHERE id = ${failed.id}`;
    await insertRetries(room.db, [
      { id: failed.id, errorCode: PASSES, decision: { action: 'retry', delayMsMin: 0, delayMsMax: 0, opens: null } },
    ]);
    expect((await retry([failed.id])).result.skipped).toEqual([{ id: failed.id, why: 'already_retried' }]);
    const id = retryMessageId(failed.id);
    expect((await retry([id])).result.skipped).toEqual([{ id, why: 'not_failed' }]);
    await refuse(id, PASSES);
    expect((await retry([id])).result.made).toBe(1);
    expect(await room.row(retryMessageId(id))).toMatchObject({ retry_of: id, status: 'accepted' });
  });

  it('has its whole validity again', async () => {
    const [limited, unlimited] = [await fail({ validityPeriodSeconds: 600 }), await fail()];
    await expire(limited.id);
    await retry([limited.id, unlimited.id]);
    const [row] = await room.db.sql<{ seconds: number }[]>`
      SELECT extract(epoch FROM expires_at - created_at)::float8 AS seconds FROM whatsapp_messages WHERE retry_of = ${limited.id}`;
    expect(row?.seconds).toBeCloseTo(600, 0);
    expect(await room.row(retryMessageId(unlimited.id))).toMatchObject({ expires_at: null });
  });

  it('counts what the same request made before as its own when it comes again', async () => {
    const [first, second] = [await fail(), await fail()];
    const request = { requestId: '3f0e8f0a-8a06-4b8e-9a55-6f8f3c1d1a11' };
    await retry([first.id], request);
    expect((await retry([first.id, second.id], request)).result).toEqual({ matched: 2, toSend: 2, made: 2, skipped: [] });
    expect((await retry([first.id, second.id])).result).toMatchObject({ toSend: 0, made: 0 });
  });

  it('stays undone for a dry run, which says the same as the retry after it', async () => {
    const ids = [(await fail()).id, (await fail({}, PERMANENT)).id];
    const dry = await retry(ids, { dryRun: true });
    expect(dry).toEqual({ result: { matched: 2, toSend: 1, made: 0, skipped: [{ id: ids[1], why: 'permanent' }] }, enqueued: [] });
    expect(await countRetries(ids)).toBe(0);
    expect((await retry(ids)).result).toEqual({ ...dry.result, made: 1 });
  });

  it('stops after a page when it is told to, and shows how far it is', async () => {
    const ids = [(await fail()).id];
    const progress: unknown[] = [];
    await retry(ids, { onProgress: async (told) => void progress.push(told) });
    expect(progress).toEqual([{ done: 1, of: 1, made: 1 }]);
    await expect(retry(ids, { signal: AbortSignal.abort(new Error('stopped')) })).rejects.toThrow('stopped');
  });
});

describe('is skipped, with its reason', () => {
  it('what was told to have arrived, may be under way or did not fail, whatever is insisted on', async () => {
    const retried: Partial<Record<MessageStatus, string>> = {};
    for (const status of Object.keys(MESSAGE_STATUSES) as MessageStatus[]) {
      const { id } = await fail();
      await room.db.sql`
        UPDATE whatsapp_messages SET status = ${status}, rank = ${MESSAGE_STATUSES[status].rank}, due_at = now(), claim_token = gen_random_uuid(),
          claimed_at = now(), error_code = CASE WHEN ${['failed', 'undelivered'].includes(status)} THEN error_code END
        WHERE id = ${id}`;
      const { result } = await retry([id], { force: true });
      retried[status] = result.skipped[0]?.why ?? 'retried';
      expect([status, await countRetries([id])]).toEqual([status, retried[status] === 'retried' ? 1 : 0]);
    }
    const { failed, undelivered, expired, delivered, read, unknown, ...others } = retried;
    expect([failed, undelivered, expired]).toEqual(['retried', 'retried', 'retried']);
    expect([delivered, read, unknown]).toEqual(['delivered', 'delivered', 'unknown']);
    expect(new Set(Object.values(others))).toEqual(new Set(['not_failed']));
  });

  it.each<[string, (id: string) => Promise<unknown>, Partial<AcceptedMessage>]>([
    ['contradicted', (id) => room.db.sql`UPDATE whatsapp_messages SET contradicted = true WHERE id = ${id}`, {}],
    ['not_ours', (id) => room.db.sql`UPDATE whatsapp_messages SET origin = 'external', producer = NULL WHERE id = ${id}`, {}],
    ['content_removed', (id) => room.db.sql`UPDATE whatsapp_messages SET body = NULL WHERE id = ${id}`, {}],
    [
      'content_removed',
      (id) => room.db.sql`UPDATE whatsapp_messages SET body = NULL, content_sid = 'HX1', redacted_at = now() WHERE id = ${id}`,
      {},
    ],
    ['canceled', (id) => cancelMessages(room.db, [{ id, producer: 'shop' }]), {}],
    ['suppressed', suppress, {}],
    ['suppressed', suppress, { category: 'authentication' }],
  ])('%s, also with force', async (why, prepare, overrides) => {
    const { id } = await fail(overrides);
    await prepare(id);
    for (const force of [false, true]) expect((await retry([id], { force })).result.skipped).toEqual([{ id, why }]);
    expect(await countRetries([id])).toBe(0);
  });

  it('what fails again or may have arrived, unless it is insisted on', async () => {
    const [permanent, arrived, closed, adopted] = [await fail({}, PERMANENT), await fail({}, SAYS_NOTHING), await fail(), await fail()];
    await room.db.sql`UPDATE whatsapp_messages SET error_code = NULL WHERE id = ${closed.id}`;
    await room.db.sql`UPDATE whatsapp_messages SET message_sid = 'SM1', sid_source = 'adopted' WHERE id = ${adopted.id}`;
    const ids = [permanent, arrived, closed, adopted].map(({ id }) => id);
    const { skipped } = (await retry(ids)).result;
    expect(skipped.map(({ why }) => why)).toEqual(['permanent', 'may_have_arrived', 'may_have_arrived', 'may_have_arrived']);
    expect((await retry(ids, { force: true })).result).toEqual({ matched: 4, toSend: 4, made: 4, skipped: [] });
  });

  it('what had a retry that was canceled, which cannot be retried in its turn', async () => {
    const { id } = await fail();
    await retry([id]);
    await room.db.sql`UPDATE whatsapp_messages SET status = 'canceled', rank = 50 WHERE id = ${retryMessageId(id)}`;
    expect((await retry([id], { force: true })).result.skipped).toEqual([{ id, why: 'retry_canceled' }]);
  });

  it('what is not there', async () => {
    const id = retryMessageId('0b6d1f4e-52b7-4f0a-8f0e-2f8a8f6f0c11');
    expect((await retry([id])).result).toEqual({ matched: 1, toSend: 0, made: 0, skipped: [{ id, why: 'not_found' }] });
  });
});

/** A message that Twilio refused. */
async function fail(overrides: Partial<AcceptedMessage> = {}, errorCode = PASSES): Promise<AcceptedMessage> {
  const message = await room.insert(overrides);
  await refuse(message.id, errorCode);
  return message;
}

async function refuse(id: string, errorCode: number): Promise<void> {
  const { token } = await room.claim(id);
  await recordOutcome(room.db, [{ id, attempt: 1, token, outcome: rejected(errorCode) }], () => ({ action: 'fail', opens: null }));
}

async function expire(id: string): Promise<void> {
  await room.db.sql`UPDATE whatsapp_messages SET status = 'expired', error_code = NULL WHERE id = ${id}`;
}

async function suppress(id: string): Promise<void> {
  const row = await room.row(id);
  const [senderAddress, recipient] = [String(row?.['sender_address']), String(row?.['recipient'])];
  const at = new Date().toISOString();
  await recordSuppressions(room.db, [
    { senderAddress, recipient, category: 'all', suppressed: true, at, source: 'operator', reason: null },
  ]);
}

async function retry(ids: readonly string[], input: Partial<RetryFailedInput> = {}) {
  const enqueued: RetriedMessage[] = [];
  const enqueue = async (rows: readonly RetriedMessage[]) => void enqueued.push(...rows);
  const asked = { ids, force: false, dryRun: false, actor: 'boss', reason: 'the outage is over', ...input };
  return { result: await retryFailedMessages({ db: room.db, enqueue }, asked), enqueued };
}

async function countRetries(ids: readonly string[]): Promise<number> {
  return (await room.db.sql`SELECT 1 FROM whatsapp_messages WHERE retry_of = ANY (${[...ids]}::uuid[])`).length;
}
