import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { CANCEL_RESULTS, type CancelResult } from '@tickmark/domain';
import { monotonicNowMs, withDeadline } from '@tickmark/runtime';
import type { Queue } from 'bullmq';
import { QUEUES } from './names.ts';
import type { CancelPayload } from './payloads.ts';
import type { ProducerConnection } from './producer-connection.ts';
import type { Producers } from './producers.ts';

/** One command per process asks for all answers that somebody waits for, so many times per second. */
const POLL_MS = 20;
/** Longer than anybody waits for an answer. */
const ANSWER_SECONDS = 60;

/**
 * Requests to cancel and their answers. A request is a job with a place for its answer, a key of its own that goes away by itself: so it
 * is carried out even when nobody waits any more.
 */
export function createCancelRequests(
  connection: ProducerConnection,
  { queue, base }: { queue: () => Queue; base: string },
): Pick<Producers, 'requestCancel' | 'answerCancel'> {
  const { redis } = connection;
  const keyOf = (replyTo: string) => `${base}:cancel:${replyTo}`;
  const answers = createAnswerPoll((names) => connection.run(() => redis.mget(...names.map(keyOf))));

  return {
    async requestCancel({ id, producer }, waitMs) {
      const startMs = monotonicNowMs();
      const replyTo = randomUUID();
      const nowMs = Date.now();
      const [requestedAt, answerBy] = [nowMs, nowMs + waitMs].map((ms) => new Date(ms).toISOString()) as [string, string];
      const payload: CancelPayload = { v: 1, id, producer, replyTo, requestedAt, answerBy };
      await connection.run(() => queue().add(QUEUES.cancel, payload, { jobId: replyTo }));
      return toResult(await answers.wait(replyTo, waitMs - (monotonicNowMs() - startMs)));
    },
    async answerCancel(replyTo, result) {
      await connection.run(() => redis.set(keyOf(replyTo), result, 'EX', ANSWER_SECONDS));
    },
  };
}

/** Waits for many answers with one question at a time. */
function createAnswerPoll(read: (names: string[]) => Promise<(string | null)[]>) {
  const waiting = new Map<string, (answer: string) => void>();
  let polling = false;

  const poll = async () => {
    while (waiting.size > 0) {
      // oxlint-disable-next-line no-await-in-loop -- one question at a time
      await pause(POLL_MS);
      const names = [...waiting.keys()];
      // Without Redis there are no answers: whoever waits has a deadline.
      // oxlint-disable-next-line no-await-in-loop -- as above
      const found = names.length === 0 ? [] : await read(names).catch(() => []);
      found.forEach((answer, index) => answer !== null && waiting.get(names[index] ?? '')?.(answer));
    }
    polling = false;
  };

  return {
    /** @returns null when none came within `ms` */
    async wait(name: string, ms: number): Promise<string | null> {
      const answered = new Promise<string>((resolve) => waiting.set(name, resolve));
      if (!polling) {
        polling = true;
        void poll();
      }
      try {
        return await withDeadline(answered, Math.max(0, ms));
      } catch {
        // The deadline: it is the only way that this promise fails.
        return null;
      } finally {
        waiting.delete(name);
      }
    },
  };
}

/** A word of a newer release is no answer: the request stands, and its end is seen elsewhere. */
function toResult(answer: string | null): CancelResult | null {
  return CANCEL_RESULTS.find((result) => result === answer) ?? null;
}
