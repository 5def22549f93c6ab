import type { Worker } from 'bullmq';

/** How long a worker keeps still after Redis refused a command. */
const BREATH_MS = 1000;

export interface WorkerFlow {
  isPaused(): boolean;
  /** @param reason one of a few fixed words: reasons do not end each other, and the same one twice is one */
  pause(reason: string): void;
  resume(reason: string): void;
  /** Pauses for a moment. */
  breathe(): void;
  /** From here on nothing is paused or resumed any more. */
  stop(): void;
}

/** Decides whether a Worker fetches: not while there is a reason to pause, and not while it takes a breath. */
export function createWorkerFlow(worker: Worker): WorkerFlow {
  const reasons = new Set<string>();
  let breath: NodeJS.Timeout | undefined;
  let stopped = false;

  const follow = () => {
    if (stopped) return;
    // Without `true` it would wait for the running jobs, and for Redis.
    if (reasons.size > 0 || breath !== undefined) void worker.pause(true);
    else void worker.resume();
  };

  return {
    isPaused: () => reasons.size > 0,
    pause: (reason) => {
      reasons.add(reason);
      follow();
    },
    resume: (reason) => {
      reasons.delete(reason);
      follow();
    },
    breathe: () => {
      if (breath !== undefined || stopped) return;
      breath = setTimeout(() => {
        breath = undefined;
        follow();
      }, BREATH_MS);
      follow();
    },
    stop: () => {
      stopped = true;
      clearTimeout(breath);
    },
  };
}
