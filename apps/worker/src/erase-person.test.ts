import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { applyStatuses, createArchive, createTask, getTask, insertAccepted, insertDeadLetter, type Task } from '@tickmark/delivery';
import type { AcceptedMessage } from '@tickmark/domain';
import { findLeaks, inboundMessage, randomPhone, randomSid, statusEvent, testFolder, waitFor } from '@tickmark/testing';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createWorkerHarness, type WorkerHarness } from './fixtures/worker-harness.ts';
import { startWorker, type RunningWorker } from './start-worker.ts';

const dir = testFolder('archive');
const archive = createArchive({ dir });
const redactedSids: string[] = [];
const redactAtTwilio = async (sid: string): Promise<'redacted'> => {
  redactedSids.push(sid);
  return 'redacted';
};
let harness: WorkerHarness;
let worker: RunningWorker;
let phone: string;
beforeAll(async () => {
  harness = await createWorkerHarness();
  const settings = { redisUrl: harness.gates.redis.url, base: harness.redis.base, senders: [harness.sender], concurrencyMax: 20 };
  worker = startWorker(
    { ...harness.deps, retention: { archive, bodyDays: 3_000, rowDays: 365, redactAtTwilio } },
    { ...settings, reconcileConcurrency: 2, lockMs: undefined, stalledMs: undefined, windowGuard: 'auto' },
  );
});
beforeEach(() => {
  redactedSids.length = 0;
  phone = randomPhone();
});
afterAll(async () => {
  await worker.stopTaking(5_000);
  await worker.drain();
  await harness.close();
  // Archives hold what the search for leaks finds.
  rmSync(dir, { recursive: true, force: true });
});

async function run(kind: 'erase' | 'cleanup', input: object): Promise<Task> {
  const taskId = await createTask(harness.db, { kind, input, requestedBy: 'ann' });
  await harness.producers.addMaintenance({ taskId });
  const end = async () => {
    const task = await getTask(harness.db, taskId);
    return task?.finishedAt ? task : null;
  };
  return waitFor(end, { timeoutMs: 60_000 });
}

const erase = (more: object = {}) => run('erase', { phone, dryRun: false, reason: `asked for by ${phone}`, ...more });

/** A message that was delivered so many days ago. */
async function delivered(ageDays: number, values: Partial<AcceptedMessage> = {}): Promise<{ id: string; sid: string }> {
  const { db } = harness;
  const message = harness.message({ recipient: `whatsapp:${phone}`, ...values });
  await insertAccepted(db, [message]);
  const sid = randomSid();
  await db.sql`
    UPDATE whatsapp_messages SET status = 'delivered', rank = 60, message_sid = ${sid}, sid_source = 'record', attempts = 1,
      created_at = now() - ${ageDays} * interval '1 day', updated_at = now() - ${ageDays} * interval '1 day' WHERE id = ${message.id}`;
  await db.sql`
    INSERT INTO message_status_logs (message_sid, status, message_id, source, channel_status_message, received_at)
    VALUES (${sid}, 'delivered', ${message.id}, 'callback', ${`to ${phone}`}, now())`;
  return { id: message.id, sid };
}

/** What is found of the phone anywhere, by means of its own. */
async function tracesAnywhere(): Promise<string[]> {
  const { db } = harness;
  const digits = phone.slice(1);
  const tables = await db.sql<
    { name: string }[]
  >`SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'`;
  const traces: string[] = [];
  for (const { name } of tables) {
    const rows = await db.sql`SELECT FROM ${db.sql(name)} t WHERE t::text LIKE ${`%${digits}%`}`;
    if (rows.length > 0) traces.push(name);
  }
  const needles = [{ what: 'digits', pattern: new RegExp(digits) }];
  const leaks = await findLeaks({ needles, files: [dir], redisUrl: harness.redis.redisUrl });
  return [...traces, ...leaks.map(({ where }) => where), ...(harness.log.text().includes(digits) ? ['log'] : [])];
}

it('everything about a person is found, erased, and proven to be gone; what is about others stays', async () => {
  const { db, producers } = harness;
  await delivered(400);
  const other = await delivered(400, { recipient: `whatsapp:${randomPhone()}`, metadata: { friend: phone } });
  expect(await run('cleanup', { dryRun: false, reason: null })).toMatchObject({ result: { rows: { message: { deleted: 2 } } } });
  const sent = await delivered(1);
  const quoting = await delivered(1, { recipient: `whatsapp:${randomPhone()}`, body: `call 00${phone.slice(1)} or 9${phone.slice(1)}` });
  const scheduled = harness.message({ recipient: `whatsapp:${phone}`, sendAt: new Date(Date.now() + 86_400_000).toISOString() });
  await insertAccepted(db, [scheduled]);
  const from = `whatsapp:${phone}`;
  await producers.addInbound([inboundMessage({ from, body: 'STOP' }), inboundMessage()]);
  await waitFor(async () => (await db.sql`SELECT FROM suppressions WHERE recipient = ${from}`).length > 0);
  await insertDeadLetter(db, { queue: 'intake', jobId: randomUUID(), payload: { recipient: from }, reason: 'x' });
  await db.sql`INSERT INTO audit_log (actor, action, reason, details) VALUES ('ann', 'x', ${`${phone} asked`}, ${db.sql.json({ recipient: from })})`;
  await waitFor(async () => (await tracesAnywhere()).some((where) => where.includes('inbound-message')));

  const before = await tracesAnywhere();
  const counted = await erase({ dryRun: true });
  expect(counted).toMatchObject({
    state: 'done',
    result: { erased: null, found: { messages: 2, waiting: 1, inbound: 1, suppressions: 1, archiveRecords: 2 } },
  });
  expect(await tracesAnywhere()).toEqual(before);

  const task = await erase();
  expect(task).toMatchObject({
    state: 'done',
    error: null,
    result: { remaining: 0, erased: { messages: 2, inbound: 1, suppressions: 1, archiveRecords: 2 } },
  });
  // 9 and the number is another number.
  await db.sql`UPDATE whatsapp_messages SET body = 'seen' WHERE id = ${quoting.id} AND body = ${`call 0 or 9${phone.slice(1)}`}`;
  expect(await tracesAnywhere()).toEqual([]);
  expect(await harness.row(quoting.id)).toMatchObject({ status: 'delivered' });
  const kept: string[] = [];
  for (const manifest of await archive.list()) for await (const { key } of archive.read(manifest)) kept.push(key);
  expect(kept).toEqual([other.id]);
  expect([...(await db.sql`SELECT actor, reason FROM audit_log WHERE action = 'person_erased'`)]).toEqual([
    { actor: 'ann', reason: 'asked for by +0' },
  ]);
  for (const messageId of [sent.id, null]) {
    const late = statusEvent({ messageId, attempt: messageId === null ? null : 1, messageSid: sent.sid, rawStatus: 'read', to: from });
    expect((await applyStatuses(db, [late]))[0]).toMatchObject({ ok: true, value: { kind: 'deleted' } });
  }
  expect(await tracesAnywhere()).toEqual([]);
});

it('nothing is erased while nobody knows whether a message was sent, and the number is not kept in the task', async () => {
  const { db } = harness;
  const { id } = await delivered(1);
  await db.sql`UPDATE whatsapp_messages SET status = 'unknown', rank = 0, message_sid = NULL, sid_source = NULL WHERE id = ${id}`;
  expect(await erase()).toMatchObject({ state: 'failed', error: expect.stringContaining('tickmark resolve') as string });
  expect(await harness.row(id)).toMatchObject({ status: 'unknown' });
  expect([...(await db.sql`SELECT FROM tasks WHERE input::text LIKE ${`%${phone.slice(1)}%`}`)]).toEqual([]);
  await db.sql`UPDATE whatsapp_messages SET status = 'failed', rank = 50 WHERE id = ${id}`;
  expect(await erase()).toMatchObject({ state: 'done', result: { remaining: 0 } });
});

it('is refused while a message to somebody else that is not sent yet quotes the number', async () => {
  const { db } = harness;
  const sendAt = new Date(Date.now() + 86_400_000).toISOString();
  const quoting = harness.message({ recipient: `whatsapp:${randomPhone()}`, body: `call ${phone}`, sendAt });
  await insertAccepted(db, [quoting]);
  const { id } = await delivered(1);
  const refused = await erase();
  expect(refused).toMatchObject({ state: 'failed', error: expect.stringContaining(quoting.id) as string });
  expect(refused.error).toContain('Cancel them');
  expect(await harness.row(id)).toMatchObject({ status: 'delivered' });
  await db.sql`UPDATE whatsapp_messages SET status = 'canceled', rank = 50 WHERE id = ${quoting.id}`;
  expect(await erase()).toMatchObject({ state: 'done', result: { remaining: 0, atTwilio: { redacted: 1, kept: 0 } } });
  expect(redactedSids).toHaveLength(1);
});

it('what cannot be erased or searched is refused', async () => {
  expect(await erase({ phone: '12' })).toMatchObject({ state: 'failed', error: expect.stringContaining('country code') as string });
  expect(await erase({ phone: harness.sender.address })).toMatchObject({
    state: 'failed',
    error: expect.stringContaining('own senders') as string,
  });
  await harness.db.sql`UPDATE system_state SET value = 'another' WHERE key = 'archive'`;
  expect(await erase()).toMatchObject({ state: 'failed', error: expect.stringContaining('ARCHIVE_DIR') as string });
});
