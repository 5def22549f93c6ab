interface Gauge {
  set(labels: Record<string, string>, value: number): void;
}

/** The metrics that this package writes; `createMetrics` of runtime has them all. */
export interface QueueMetrics {
  /** tickmark_job_duration_seconds{queue} */
  jobDuration: { observe(labels: { queue: string }, seconds: number): void };
  /** tickmark_dead_letters_total{queue} */
  deadLetters: { inc(labels: { queue: string }): void };
  /** tickmark_queue_jobs{queue,state} */
  queueJobs: Gauge;
  /** tickmark_queue_oldest_job_age_seconds{queue} */
  queueOldestJobAge: Gauge;
  /** tickmark_canary_age_seconds{queue} */
  canaryAge: Gauge;
}
