import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { claimForSending, insertAccepted } from '@tickmark/delivery';
import { waitFor } from '@tickmark/testing';
import { created } from '../fixtures/scripted-twilio.ts';
import { createWorkerHarness, type WorkerHarness } from '../fixtures/worker-harness.ts';

let harness: WorkerHarness;
beforeAll(async () => {
  harness = await createWorkerHarness();
  const worker = harness.start();
  await waitFor(async () => (await worker.readiness()).ready);
});
afterAll(() => harness.close());

const said = (id: string, words: RegExp) => harness.log.lines().some((line) => line['messageId'] === id && words.test(String(line['msg'])));

it('an outcome that comes again after the row went on changes nothing', async () => {
  const message = harness.message();
  await insertAccepted(harness.db, [message]);
  const token = randomUUID();
  await claimForSending(harness.db, [{ id: message.id, token }], { account: harness.client.credentialsFingerprint() });
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
