import type { Logger } from '@tickmark/runtime';
import { DelayedError, UnrecoverableError, WaitingError, type IQueueBackend, type Job } from 'bullmq';

/** What a processor says became of its job. */
export type Outcome =
  { kind: 'done' } | { kind: 'retry'; afterMs: number } | { kind: 'snooze'; untilMs: number } | { kind: 'cancel'; reason: string };

/** The job is finished and leaves Redis. */
export function done(): Outcome {
  return { kind: 'done' };
}

/** The job runs again after `afterMs`; `attemptsMade` counts it. There is no maximum here: the processor decides when to give up. */
export function retry(afterMs: number): Outcome {
  return { kind: 'retry', afterMs };
}

/** The job runs again at `untilMs` (epoch milliseconds); `attemptsMade` does not change. */
export function snooze(untilMs: number): Outcome {
  return { kind: 'snooze', untilMs };
}

/** The job ends without its work and leaves Redis. `reason` goes to the log: a constant sentence, nothing personal. */
export function cancel(reason: string): Outcome {
  return { kind: 'cancel', reason };
}

/** A time that has passed already (a clock that runs ahead) must not turn a job into a busy loop. */
const POSTPONE_MS_MIN = 50;

/** The job as BullMQ gave it to the processor, and the backend of the worker that runs it. */
export interface RunningBullJob {
  job: Job;
  token: string;
  backend: IQueueBackend;
}

/**
 * Tells BullMQ, which takes a return for success and errors of its own for everything else.
 *
 * Both ways of waiting move the job to `delayed` and then throw DelayedError, after which BullMQ leaves the job alone. BullMQ's own retries
 * (`attempts`, `backoff`) are not used: they keep the error's text in Redis, and a job that has used them up is removed without a trace.
 *
 * @throws DelayedError, UnrecoverableError: for BullMQ, not for people
 */
export async function applyOutcome(outcome: Outcome, running: RunningBullJob, log: Logger): Promise<void> {
  switch (outcome.kind) {
    case 'done':
      return;
    case 'retry':
      await postpone(running, outcome.afterMs, { skipAttempt: false }, log);
      throw new DelayedError();
    case 'snooze':
      await postpone(running, outcome.untilMs - Date.now(), { skipAttempt: true }, log);
      throw new DelayedError();
    case 'cancel':
      log.info({ jobId: running.job.id, reason: outcome.reason }, 'job canceled');
      // BullMQ writes this text into the job and the event stream: hence a constant.
      throw new UnrecoverableError('canceled');
  }
}

/**
 * Puts a job back to the head of its line, for another worker.
 *
 * @throws WaitingError, for BullMQ
 */
export async function putBack(running: RunningBullJob, log: Logger): Promise<never> {
  await release(running, () => running.job.moveToWait(running.token), log);
  throw new WaitingError();
}

async function postpone(running: RunningBullJob, delayMs: number, counting: { skipAttempt: boolean }, log: Logger): Promise<void> {
  const { job, token, backend } = running;
  const delay = Math.max(POSTPONE_MS_MIN, Math.ceil(delayMs));
  await release(running, () => backend.moveToDelayed(job.id ?? '', Date.now(), delay, token, counting), log);
}

async function release({ job }: RunningBullJob, move: () => Promise<unknown>, log: Logger): Promise<void> {
  try {
    await move();
  } catch (error) {
    // Another worker has taken the job (our lock was lost), the move was done and its answer lost, or Redis refuses writes. In no case may
    // the job fail: left as it is, it is found stalled and runs again.
    log.warn({ jobId: job.id, err: error }, 'job could not be put off: it runs again when it is found stalled');
  }
}
