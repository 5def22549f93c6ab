import type { Logger as PinoLogger, DestinationStream } from 'pino';
import type { Clock } from './clock.ts';
import type { ProcessName } from './metrics.ts';

export type Logger = PinoLogger;

export interface LoggerOptions {
  process: ProcessName | 'cli' | 'migrate' | (string & {});
  level?: string;
  /** Where lines go; standard output by default. */
  destination?: DestinationStream;
}

export function createLogger(_options: LoggerOptions): Logger {
  throw new Error('not built yet');
}

export interface ErrorLogLimiter {
  /** Logs `error` under `message`, unless a line with the same key was written less than 10 s ago; then it is only counted. */
  error(key: string, error: unknown, message: string): void;
}

export function createErrorLogLimiter(_options: { log: Logger; intervalMs?: number; clock?: Clock }): ErrorLogLimiter {
  throw new Error('not built yet');
}
