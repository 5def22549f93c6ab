import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { waitFor } from '@tickmark/testing';
import { created, tooManyRequests } from './fixtures/scripted-twilio.ts';
import { createWorkerHarness, type WorkerHarness } from './fixtures/worker-harness.ts';

const CONCURRENCY = 20;
const MESSAGES = 200;
const LATENCY_MS = 60;
/** Far from the time-out of a call. */
const STORM_LATENCY_MS = 2_000;

let harness: WorkerHarness;
beforeAll(async () => {
  harness = await createWorkerHarness();
});
afterAll(() => harness.close());

/**
 * Twilio with a limit of calls at the same time, as it has and does not tell. What it takes stays open until the storm is over, so that a slow
 * machine meets the limit too.
 */
function limitTwilio(initial: number) {
  const storm = new AbortController();
  const state = {
    allowed: initial,
    inFlight: 0,
    most: 0,
    refused: 0,
    calm: () => {
      state.allowed = 1_000;
      storm.abort();
    },
  };
  harness.answerWith(async () => {
    if (state.inFlight >= state.allowed) {
      state.refused += 1;
      return tooManyRequests();
    }
    state.inFlight += 1;
    state.most = Math.max(state.most, state.inFlight);
    await pause(STORM_LATENCY_MS, null, { signal: storm.signal }).catch(() => pause(LATENCY_MS));
    state.inFlight -= 1;
    return created();
  });
  return state;
}

const concurrency = async () => (await harness.metrics.sendConcurrency.get()).values[0]?.value ?? 0;

it('a storm of 429s loses and fails no message: concurrency falls to what Twilio takes, and recovers when it takes more', async () => {
  const twilio = limitTwilio(4);
  const messages = Array.from({ length: MESSAGES }, () => harness.message());
  const worker = harness.start({ concurrencyMax: CONCURRENCY, senders: [{ ...harness.sender, mps: 1_000 }] });
  await waitFor(async () => (await worker.readiness()).ready);
  await harness.producers.addIntake(messages, 'bulk');
  const lowest = await waitFor(async () => ((await concurrency()) <= 5 ? concurrency() : 0), { message: 'concurrency to fall' });
  const refusedWhileFalling = twilio.refused;
  twilio.calm();
  await waitFor(async () => (await harness.db.sql`SELECT FROM whatsapp_messages WHERE status = 'queued'`).length === MESSAGES, {
    timeoutMs: 20_000,
    message: 'every message to be sent',
  });
  const recovered = await waitFor(async () => ((await concurrency()) >= lowest + 4 ? concurrency() : 0), { timeoutMs: 15_000 });

  const rows = await harness.db.sql`SELECT status, count(*)::int FROM whatsapp_messages GROUP BY status`;
  console.log(
    `429 storm: concurrency ${CONCURRENCY} → ${lowest} after ${refusedWhileFalling} refusals, back at ${recovered}; ${MESSAGES} messages sent, ` +
      `${harness.twilio.creates.length} calls, ${twilio.refused} refused, at most ${twilio.most} at the same time`,
  );
  expect(rows).toEqual([{ status: 'queued', count: MESSAGES }]);
  expect(harness.twilio.creates).toHaveLength(MESSAGES + twilio.refused);
  expect(twilio.most).toBeLessThanOrEqual(CONCURRENCY);
}, 60_000);
