/** Certainly nothing was added: Redis was not reachable when asked, or refused the command. Safe to say so to a producer. */
export class QueueUnavailableError extends Error {
  override name = 'QueueUnavailableError';
}

/** The command may have reached Redis but no answer came in time: it may still land. Every job id is deterministic, so repeating is safe. */
export class QueueTimeoutError extends Error {
  override name = 'QueueTimeoutError';
}
