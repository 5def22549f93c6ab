import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { claimForSending, insertAccepted } from '@tickmark/delivery';
import { waitFor } from '@tickmark/testing';
import { created, type Answer } from '../fixtures/scripted-twilio.ts';
import { createWorkerHarness, type WorkerHarness } from '../fixtures/worker-harness.ts';

const OUTAGE = { timeoutMs: 20_000 };

let harness: WorkerHarness;
beforeAll(async () => {
  harness = await createWorkerHarness();
  const worker = harness.start();
  await waitFor(async () => (await worker.readiness()).ready);
});
afterEach(() => Promise.all([harness.gates.database.open(), harness.gates.redis.open()]));
afterAll(() => harness.close());

const rejected: Answer = { status: 400, body: { code: 21211, message: 'no', more_info: '', status: 400 } };
const throttled: Answer = { status: 429, body: { code: 20429, message: 'slow', status: 429 } };

const said = (id: string, words: RegExp) => harness.log.lines().some((line) => line['messageId'] === id && words.test(String(line['msg'])));

/** Messages whose first calls are answered, each with its answer, when nobody reaches the stores of `lost` any more. */
async function sendIntoOutage(answers: readonly Answer[], lost: readonly ('database' | 'redis')[]): Promise<string[]> {
  const messages = answers.map(() => harness.message());
  const firsts = new Map(messages.map(({ recipient }, index) => [recipient, answers[index] ?? created()]));
  let outage: Promise<unknown> | undefined;
  harness.answerWith(async (form) => {
    const to = form.get('To') ?? '';
    const answer = firsts.get(to);
    firsts.delete(to);
    if (firsts.size === 0) outage ??= Promise.all(lost.map((store) => harness.gates[store].close()));
    await waitFor(() => outage);
    await outage;
    return answer ?? created();
  });
  await insertAccepted(harness.db, messages);
  await harness.producers.addSend(messages);
  return messages.map(({ id }) => id);
}

it('what came while the database was away is recorded when it is back, and acted upon', async () => {
  const before = harness.twilio.creates.length;
  const ids = await sendIntoOutage([rejected, created(), throttled], ['database']);
  await waitFor(() => ids.every((id) => said(id, /^outcome handed over/)), OUTAGE);
  for (const id of ids) expect(await harness.row(id)).toMatchObject({ status: 'sending', attempts: 1 });
  await harness.gates.database.open();
  const rows = () => Promise.all(ids.map((id) => harness.row(id)));
  await waitFor(async () => (await rows()).every((row) => row?.status === 'failed' || row?.status === 'queued'), OUTAGE);
  expect(await rows()).toMatchObject([
    { status: 'failed', error_code: 21211, attempts: 1 },
    { status: 'queued', attempts: 1 },
    { status: 'queued', attempts: 2 },
  ]);
  expect(harness.twilio.creates).toHaveLength(before + 4);
});

/** Whether a statement of the worker waits for a row that somebody has locked. */
async function isWaitedFor(): Promise<boolean> {
  const waiting = await harness.db.sql`
    SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'worker' AND wait_event_type = 'Lock'`;
  return waiting.length > 0;
}

it('a claim whose answer was lost with the database is given back, and the message is sent once', async () => {
  const message = harness.message();
  await insertAccepted(harness.db, [message]);
  const before = harness.twilio.creates.length;
  harness.answerWith(() => created());
  await harness.db.sql.begin(async (tx) => {
    // The claim waits for the row until its answer cannot come any more.
    await tx`SELECT FROM whatsapp_messages WHERE id = ${message.id} FOR UPDATE`;
    await harness.producers.addSend([message]);
    await waitFor(isWaitedFor, { ...OUTAGE, intervalMs: 10 });
    harness.gates.database.stall('answers');
  });
  await waitFor(async () => (await harness.row(message.id))?.status === 'sending', OUTAGE);
  await harness.gates.database.close();
  await waitFor(() => said(message.id, /^claim handed back/), OUTAGE);
  await harness.gates.database.open();
  await waitFor(async () => (await harness.row(message.id))?.status === 'queued', OUTAGE);
  expect(said(message.id, /^claim without a call given back/)).toBe(true);
  expect(await harness.row(message.id)).toMatchObject({ attempts: 2 });
  expect(harness.twilio.creates).toHaveLength(before + 1);
});

it('an outcome that neither store could be told becomes unknown and is not sent again', async () => {
  const before = harness.twilio.creates.length;
  const [id = ''] = await sendIntoOutage([rejected], ['database', 'redis']);
  await waitFor(() => said(id, /^outcome lost/), OUTAGE);
  await Promise.all([harness.gates.database.open(), harness.gates.redis.open()]);
  await harness.db.sql`UPDATE whatsapp_messages SET claimed_at = claimed_at - interval '61 seconds' WHERE id = ${id}`;
  await waitFor(async () => (await harness.row(id))?.status === 'unknown', OUTAGE);
  expect(harness.twilio.creates).toHaveLength(before + 1);
});

it('an outcome that comes again after the row went on changes nothing', async () => {
  const message = harness.message();
  await insertAccepted(harness.db, [message]);
  const token = randomUUID();
  await claimForSending(harness.db, [{ id: message.id, token }], { account: harness.client.credentialsFingerprint(), windowGuard: 'auto' });
  const outcome = { kind: 'throttled', retryAfterMs: 0, httpStatus: 429, errorCode: 20429, requestId: null } as const;
  const call = { id: message.id, attempt: 1, token, sender: 'support', priority: 'bulk', outcome } as const;
  const before = harness.twilio.creates.length;
  harness.answerWith(() => created());
  await harness.producers.addSendOutcome(call);
  await waitFor(async () => (await harness.row(message.id))?.status === 'queued');
  await harness.producers.addSendOutcome(call);
  await waitFor(() => said(message.id, /^outcome was known already/));
  expect(await harness.row(message.id)).toMatchObject({ status: 'queued', attempts: 2 });
  expect(harness.twilio.creates).toHaveLength(before + 1);
});
