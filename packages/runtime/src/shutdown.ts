import type { Logger } from './logger.ts';

export interface ShutdownPhase {
  name: string;
  run: () => Promise<unknown> | unknown;
  deadlineMs: number;
}

export interface Shutdown {
  /** True once the first signal (or `begin`) came: stop taking new work. */
  readonly begun: boolean;
  /** Starts the shutdown; a repeat changes nothing. Resolves never in a real process: the process exits. */
  begin(reason: string, exitCode?: number): Promise<void>;
}

export interface ShutdownOptions {
  log: Logger;
  /** Run one after the other, first to last. */
  phases: readonly ShutdownPhase[];
  /** The process is ended with exit code 1 after this time whatever happens; default: the sum of the deadlines and 5 s. */
  watchdogMs?: number;
}

export function createShutdown(_options: ShutdownOptions): Shutdown {
  throw new Error('not built yet');
}
