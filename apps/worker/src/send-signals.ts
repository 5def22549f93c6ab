/** What a message went out with: each may be what its error code shows to be broken. Null = it had none, or nobody knows. */
export interface MessageOrigin {
  /** Alias. */
  sender: string | null;
  /** Content sid. */
  template: string | null;
  campaign: string | null;
}

/** What calls and callbacks tell beyond their own message. Nobody waits for a signal, and none may throw. */
export interface SendSignals {
  /** Twilio refused a create call for the rate (429 with 20429). @param retryAfterMs what it asked for; null when it said nothing */
  throttled(sender: string, retryAfterMs: number | null): void;
  /** Twilio refused a create call with this code: nothing was created. */
  refused(code: number, origin: MessageOrigin): void;
  /** A message that had been created failed with this code; told once per status. */
  failedLater(code: number, origin: MessageOrigin): void;
  /** Messages reached their end, well or badly; told once per message and batch. */
  finished(messages: readonly FinishedMessage[]): void;
}

export interface FinishedMessage extends MessageOrigin {
  /** Null when it arrived. */
  errorCode: number | null;
}

export const NO_SIGNALS: SendSignals = { throttled: () => {}, refused: () => {}, failedLater: () => {}, finished: () => {} };

/** Tells each of them, in order. */
export function joinSignals(...all: readonly SendSignals[]): SendSignals {
  return {
    throttled: (...told) => all.forEach((signals) => signals.throttled(...told)),
    refused: (...told) => all.forEach((signals) => signals.refused(...told)),
    failedLater: (...told) => all.forEach((signals) => signals.failedLater(...told)),
    finished: (...told) => all.forEach((signals) => signals.finished(...told)),
  };
}
