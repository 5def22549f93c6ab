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
