import { DeadlineExceededError, withDeadline } from './deadline.ts';
import type { Logger } from './logger.ts';

/** Between the deadlines of all phases and the end by force. */
const WATCHDOG_MARGIN_MS = 5_000;

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

export interface ShutdownPhase {
  /** Said in the log: what it does, such as "finish running jobs". */
  name: string;
  run: () => unknown;
  /** After this the next phase begins, whether this one has ended or not. */
  deadlineMs: number;
}

export interface Shutdown {
  /** True from the first signal on: take no new work. */
  readonly begun: boolean;
  /**
   * Starts the shutdown, or joins the one under way: a repeat changes nothing but a better exit code into a worse one.
   *
   * @param reason said in the log
   * @param code the process's exit code, 0 unless told. A phase that failed or did not end in time makes it 1.
   * @returns a promise that never resolves: the process ends instead
   */
  begin(reason: string, code?: number): Promise<never>;
}

export interface ShutdownOptions {
  log: Pick<Logger, 'info' | 'warn' | 'error' | 'fatal'>;
  /** Run one after the other: what takes work first, what others stand on last. */
  phases: readonly ShutdownPhase[];
  /** The process ends with exit code 1 after this, whatever still runs; more than the sum of the deadlines. Default: 5 s more. */
  watchdogMs?: number;
}

/**
 * Ends the process in order on SIGTERM, on SIGINT, when the parent that forked it goes away, and after an error that nobody caught
 * (then with exit code 1). A phase that throws or hangs does not stop the next. Call it once per process.
 *
 * @throws RangeError when the watchdog would fire before the phases had their time
 */
export function createShutdown(options: ShutdownOptions): Shutdown {
  const { log, phases } = options;
  const deadlinesMs = phases.reduce((sum, { deadlineMs }) => sum + deadlineMs, 0);
  const watchdogMs = options.watchdogMs ?? deadlinesMs + WATCHDOG_MARGIN_MS;
  if (watchdogMs <= deadlinesMs) throw new RangeError(`the watchdog (${watchdogMs} ms) must be later than all phases (${deadlinesMs} ms)`);

  let begun = false;
  let exitCode = 0;
  const begin = (reason: string, code = 0): Promise<never> => {
    exitCode = Math.max(exitCode, code);
    if (!begun) {
      begun = true;
      void endProcess({ log, phases, watchdogMs }, reason, (clean) => (clean ? exitCode : Math.max(exitCode, 1)));
    }
    return new Promise(() => undefined);
  };

  for (const signal of SIGNALS) process.on(signal, () => void begin(signal));
  process.on('uncaughtException', (err, origin) => {
    log.fatal({ err, origin }, 'an error that nobody caught ends the process');
    void begin(origin, 1);
  });
  if (process.send !== undefined) {
    process.once('disconnect', () => void begin('the parent went away'));
    // It may have gone while the process was starting, when nobody listened: without this the process would stay as an orphan.
    if (!process.connected) void begin('the parent went away');
  }
  return {
    get begun() {
      return begun;
    },
    begin,
  };
}

async function endProcess(
  { log, phases, watchdogMs }: Required<ShutdownOptions>,
  reason: string,
  exitCodeWhen: (clean: boolean) => number,
): Promise<never> {
  const startMs = performance.now();
  // Keeps the process alive, because it must be there to fire.
  setTimeout(() => {
    log.fatal({ watchdogMs }, 'the shutdown did not end in time and is cut off');
    process.exit(1);
  }, watchdogMs);
  log.info({ reason, watchdogMs }, 'shutting down');

  let clean = true;
  for (const phase of phases) {
    const ended = await runPhase(log, phase);
    clean &&= ended;
  }
  const exitCode = exitCodeWhen(clean);
  log.info({ reason, exitCode, durationMs: Math.round(performance.now() - startMs) }, 'shut down');
  process.exit(exitCode);
}

async function runPhase(log: ShutdownOptions['log'], { name, run, deadlineMs }: ShutdownPhase): Promise<boolean> {
  const startMs = performance.now();
  try {
    await withDeadline(
      // Started within the promise, so that a phase that throws before it waits is a phase that failed.
      new Promise((resolve) => {
        resolve(run());
      }),
      deadlineMs,
    );
    log.info({ phase: name, durationMs: Math.round(performance.now() - startMs) }, 'shutdown phase ended');
    return true;
  } catch (err) {
    if (err instanceof DeadlineExceededError) log.warn({ phase: name, deadlineMs }, 'shutdown phase did not end in time');
    else log.error({ phase: name, err }, 'shutdown phase failed');
    return false;
  }
}
