import { AppError } from '@tickmark/domain';
import { createProducers, type Producers } from '@tickmark/queues';
import { createMetrics, type Clock } from '@tickmark/runtime';
import { captureLogger, randomPhone, testRedis, waitFor } from '@tickmark/testing';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createIngressHarness } from './fixtures/ingress-harness.ts';
import { acceptedMessage, readQueues } from './fixtures/read-queues.ts';
import { createIntakeBacklogGuard } from './intake-backlog.ts';

describe('the guard against a backlog of accepted messages', () => {
  const redis = testRedis();
  const log = captureLogger().log;
  let producers: Producers;
  beforeAll(async () => {
    producers = createProducers({ ...redis, log, deadlineMs: 20_000 });
    await waitFor(() => producers.ping(), { timeoutMs: 25_000 });
  });
  afterAll(async () => {
    await producers.close();
    await redis.dropAll();
  });

  /** Every call is a second later than the one before, so that each asks for a new reading. */
  const quickClock = (): Clock => {
    let nowMs = 0;
    return { now: () => new Date(), monotonicMs: () => (nowMs += 1_000) };
  };
  const refuses = (guard: () => void) => {
    try {
      guard();
      return false;
    } catch (error) {
      return error;
    }
  };

  it('refuses while the oldest message waits for too long, and takes messages again when it was stored', async () => {
    const guard = createIntakeBacklogGuard({ producers, clock: quickClock(), oldestAgeMsMax: 50 });
    expect(refuses(guard)).toBe(false);
    await producers.addIntake([acceptedMessage('00000000-0000-7000-8000-000000000001')], 'bulk');
    const refusal = await waitFor(() => refuses(guard), { message: 'the message to grow old' });
    expect(refusal).toBeInstanceOf(AppError);
    expect(refusal).toMatchObject({ code: 'QUEUE_UNAVAILABLE', retryAfterSeconds: 5, message: expect.stringContaining('again later') });
    await readQueues({ ...redis, log, metrics: createMetrics({ process: 'ingress' }) });
    await waitFor(() => refuses(guard) === false);
  });

  it('forgets what it saw when no reading came for five seconds', async () => {
    let nowMs = 0;
    const clock = { now: () => new Date(), monotonicMs: () => nowMs };
    let ageMs = Promise.resolve(60_000);
    const guard = createIntakeBacklogGuard({ producers: { oldestIntakeAgeMs: () => ageMs }, clock });
    await waitFor(() => refuses(guard));
    ageMs = new Promise(() => undefined);
    nowMs = 5_100;
    expect(refuses(guard)).toBe(false);
  });

  it('stands in front of POST /v1/messages', async () => {
    const own = createProducers({ ...redis, log });
    const ingress = await createIngressHarness({ deps: { producers: { ...own, oldestIntakeAgeMs: () => Promise.resolve(31_000) } } });
    onTestFinished(async () => {
      await ingress.close();
      await own.close();
    });
    const post = () => ingress.post({ to: randomPhone(), body: 'x' });
    const refused = await waitFor(async () => {
      const answer = await post();
      return answer.json.error?.message.includes('not being stored') && answer;
    });
    expect(refused).toMatchObject({ status: 503, json: { error: { code: 'QUEUE_UNAVAILABLE' } } });
  });
});
