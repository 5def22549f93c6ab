import { setTimeout as pause } from 'node:timers/promises';

/** Waits; true = the time is over, false = the signal ended the wait (now or before): the head of every loop that runs until closed. */
export async function waited(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await pause(ms, undefined, { signal });
    return true;
  } catch {
    // The only error that this promise has is the abort.
    return false;
  }
}
