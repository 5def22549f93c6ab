/** How long whoever accepts waits for Redis before he says that it is away. Twilio reads for 4 s at most, a producer is promised an answer within 2 s. */
export interface Deadlines {
  /** One command. Less than a commit, so that Redis's own answer (certainly not, or perhaps) is known before the caller is given up. */
  redisMs: number;
  /** The marker of an idempotency key, which comes before the commit. */
  markerMs: number;
  /** From an item's arrival in its group commit to the caller's answer. */
  commitMs: number;
  /** From a request to cancel to its answer, which a worker gives if it can. */
  cancelMs: number;
}

export const DEADLINES: Deadlines = { redisMs: 1_300, markerMs: 500, commitMs: 1_500, cancelMs: 2_000 };
