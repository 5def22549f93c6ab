import { AppError } from '@tickmark/domain';
import type { Clock } from '@tickmark/runtime';
import { acceptedMessage, waitFor } from '@tickmark/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { queueRoom, type QueueRoom } from './fixtures/queue-room.ts';
import { createIntakeAdmission } from './intake-admission.ts';
import { QUEUES } from './names.ts';
import { done } from './outcome.ts';
import { intakePayloadSchema } from './payloads.ts';
import type { Producers } from './producers.ts';
import { createQueueWorker } from './queue-worker.ts';

describe('the admission to intake', () => {
  let room: QueueRoom;
  let producers: Producers;
  beforeAll(() => {
    room = queueRoom();
    producers = room.producers({ deadlineMs: 20_000 });
  });
  afterAll(() => room.close());

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
    const guard = createIntakeAdmission({ producers, metrics: room.metrics, clock: quickClock(), oldestAgeMsMax: 50 });
    expect(refuses(guard)).toBe(false);
    await producers.addIntake([acceptedMessage()], 'bulk');
    const refusal = await waitFor(() => refuses(guard), { message: 'the message to grow old' });
    expect(refusal).toBeInstanceOf(AppError);
    expect(refusal).toMatchObject({ code: 'QUEUE_UNAVAILABLE', retryAfterSeconds: 5, message: expect.stringContaining('again later') });
    const worker = createQueueWorker({
      redisUrl: room.redisUrl,
      base: room.base,
      log: room.logger.log,
      metrics: room.metrics,
      concurrency: 1,
      queue: QUEUES.intake,
      schema: intakePayloadSchema,
      processor: () => Promise.resolve(done()),
    });
    await waitFor(() => refuses(guard) === false);
    await worker.close(1_000);
  });

  it('forgets what it saw when no reading came for five seconds', async () => {
    let nowMs = 0;
    const clock = { now: () => new Date(), monotonicMs: () => nowMs };
    let ageMs = Promise.resolve(60_000);
    const guard = createIntakeAdmission({
      producers: { oldestIntakeAgeMs: () => ageMs, memoryShare: () => Promise.resolve(null) },
      metrics: room.metrics,
      clock,
    });
    await waitFor(() => refuses(guard));
    ageMs = new Promise(() => undefined);
    nowMs = 5_100;
    expect(refuses(guard)).toBe(false);
  });
});
