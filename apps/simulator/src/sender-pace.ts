/** How fast each sender's messages leave Twilio's queue. */
export interface SenderPace {
  /**
   * Takes the next place in the sender's queue.
   *
   * @returns milliseconds to wait; null when the queue already holds more than it may, and nothing was taken.
   */
  reserve(sender: string, nowMs: number): number | null;
  clear(): void;
}

export interface PaceSettings {
  /** Messages per second; a sender that is not named has no limit. */
  mps: Readonly<Record<string, number>>;
  queueSecondsMax: number;
}

/** Like Twilio's: what comes faster than the sender may send waits, up to a limit in time. */
export function createSenderPace(settings: () => PaceSettings): SenderPace {
  const freeAt = new Map<string, number>();
  return {
    reserve: (sender, nowMs) => {
      const { mps, queueSecondsMax } = settings();
      const limit = mps[sender];
      if (limit === undefined) return 0;
      const startMs = Math.max(nowMs, freeAt.get(sender) ?? 0);
      if (startMs - nowMs > queueSecondsMax * 1000) return null;
      freeAt.set(sender, startMs + 1000 / limit);
      return startMs - nowMs;
    },
    clear: () => freeAt.clear(),
  };
}
