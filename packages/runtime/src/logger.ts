import { destination as openDestination, pino, stdTimeFunctions, type DestinationStream, type Logger as PinoLogger } from 'pino';
import { serializeError } from './error-serializer.ts';
import { redactLine } from './redaction.ts';
import { VERSION } from './version.ts';

export type Logger = PinoLogger;

export interface LoggerOptions {
  /** Which program writes: ingress, worker, … */
  process: string;
  /** debug, info, warn, error or silent; default info. */
  level?: string;
  /** Where lines go; default standard output, written before the call returns, so that the last words of a process are not lost. */
  destination?: DestinationStream;
}

/**
 * A logger of JSON lines with time, level, process, pid and version. Write `log.info({ messageId, durationMs }, 'message accepted')`:
 * fields first, then a constant sentence in lower case; an error goes in `err`.
 *
 * Phones, bodies, tokens and credentials are removed from every line, those of child loggers too, and errors are reduced to what is
 * known to be harmless. It is a net, not a licence: do not log them. A property named `to`, `from`, `body`, `params` or `headers` is
 * removed whatever it holds; name a change of status otherwise.
 */
export function createLogger(options: LoggerOptions): Logger {
  return pino(
    {
      level: options.level ?? 'info',
      base: { process: options.process, pid: process.pid, version: VERSION },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: serializeOne, error: serializeOne, cause: serializeOne, reason: serializeOne },
      hooks: { streamWrite: redactLine },
    },
    options.destination ?? openDestination({ dest: 1, sync: true }),
  );
}

function serializeOne(value: unknown): unknown {
  return value instanceof Error ? serializeError(value) : value;
}
