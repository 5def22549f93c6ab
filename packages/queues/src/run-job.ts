import { createErrorLogLimiter, monotonicNowMs, type Logger } from '@tickmark/runtime';
import type { z } from 'zod';
import { applyOutcome, snooze, type Outcome, type RunningBullJob } from './outcome.ts';

/** A job that cannot run here and now comes back after this: soon enough after a deploy or an outage, too seldom to be a load. */
const SNOOZE_MS = 5000;
/** A job that has cost several workers their lives is probably the reason for it. */
const SUSPICIOUS_STALLS = 3;

/** The progress of a job that some worker did not understand, and none has since. */
export const NOT_UNDERSTOOD = 'not understood';

/** What a processor may know of the job besides its payload. */
export interface RunningJob {
  id: string;
  /** Number of earlier runs that ended in `retry`: 0 on the first. */
  attemptsMade: number;
}

/** What a worker counts: those of `createMetrics`, or nothing. */
export interface JobMetrics {
  jobDuration: { observe(labels: { queue: string }, seconds: number): void };
  deadLetters: { inc(labels: { queue: string }): void };
}

/** For a process that shows no metrics of ours. */
export const NO_JOB_METRICS: JobMetrics = { jobDuration: { observe: () => undefined }, deadLetters: { inc: () => undefined } };

export interface JobRunnerOptions<Payload> {
  /** Queue name, or what stands for it in metrics. */
  label: string;
  schema: z.ZodType<Payload>;
  processor: (payload: Payload, job: RunningJob) => Promise<Outcome>;
  log: Logger;
  metrics: JobMetrics;
}

/**
 * Runs one job so that nothing but its processor's word can end it: an unreadable payload and a thrown error are both "later".
 *
 * An unreadable payload is a newer release's, so a reader that knows it is on its way. It counts as a dead letter once, on its first run.
 * A thrown error is infrastructure by definition (expected results are values), so it never uses an attempt.
 */
export function createJobRunner<Payload>(options: JobRunnerOptions<Payload>): (running: RunningBullJob) => Promise<void> {
  const { label, schema, processor, metrics } = options;
  const log = options.log.child({ queue: label });
  const limiter = createErrorLogLimiter({ log });

  /** For those who look at the queue; see `oldestUnfinishedAgeMs`. */
  async function markUnderstood({ job }: RunningBullJob, understood: boolean): Promise<void> {
    if ((job.progress === NOT_UNDERSTOOD) !== understood) return;
    try {
      await job.updateProgress(understood ? 0 : NOT_UNDERSTOOD);
    } catch (error) {
      // It runs again, here or elsewhere, and is marked then.
      limiter.error('mark', error, 'job could not be marked as understood or not');
    }
  }

  async function decide(running: RunningBullJob): Promise<Outcome> {
    const { job } = running;
    if (job.stalledCounter >= SUSPICIOUS_STALLS) {
      log.error({ jobId: job.id, stalls: job.stalledCounter }, 'job may be what ends its workers: look at what they have in common');
    }
    const payload = schema.safeParse(job.data);
    await markUnderstood(running, payload.success);
    if (!payload.success) {
      if (job.attemptsStarted <= 1) metrics.deadLetters.inc({ queue: label });
      const fields = payload.error.issues.map(({ path, code }) => `${path.join('.')}: ${code}`).slice(0, 5);
      limiter.error(
        'payload',
        new Error(`fields not understood: ${fields.join(', ')}`),
        'payload of another version: the job waits for its reader',
      );
      return snooze(Date.now() + SNOOZE_MS);
    }
    try {
      return await processor(payload.data, { id: job.id ?? '', attemptsMade: job.attemptsMade });
    } catch (error) {
      limiter.error('processor', error, 'job could not run: it is tried again in 5 s');
      return snooze(Date.now() + SNOOZE_MS);
    }
  }

  return async (running) => {
    const startMs = monotonicNowMs();
    const outcome = await decide(running);
    metrics.jobDuration.observe({ queue: label }, (monotonicNowMs() - startMs) / 1000);
    await applyOutcome(outcome, running, log);
  };
}
