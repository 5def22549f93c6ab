import type { Worker } from 'bullmq';

/** How long a worker keeps still after Redis refused a command. */
const BREATH_MS = 1000;

export interface WorkerFlow {
  isPaused(): boolean;
  pause(): void;
  resume(): void;
  /** Pauses for a moment. */
  breathe(): void;
  /** From here on nothing is paused or resumed any more. */
  stop(): void;
}

/** Decides whether a Worker fetches: not while somebody paused it, and not while it takes a breath. */
export function createWorkerFlow(worker: Worker): WorkerFlow {
  let paused = false;
  let breath: NodeJS.Timeout | undefined;
  let stopped = false;

  const follow = () => {
    if (stopped) return;
    // Without `true` it would wait for the running jobs, and for Redis.
    if (paused || breath !== undefined) void worker.pause(true);
    else void worker.resume();
  };
  const set = (value: boolean) => {
    paused = value;
    follow();
  };

  return {
    isPaused: () => paused,
    pause: () => set(true),
    resume: () => set(false),
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
