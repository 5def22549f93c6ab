import { checkDatabase, type Database } from '@tickmark/delivery';
import type { Logger } from '@tickmark/runtime';
import { waited } from './waited.ts';

const PROBE_MS = 500;

/**
 * Calls `start` as soon as the database can be worked with, and again when it fails; returns when it succeeded or the signal came.
 *
 * What stands in the way is logged when it changes: a wrong password stays wrong for hours, and is one line.
 */
export async function untilDatabaseReady(
  { db, log }: { db: Pick<Database, 'sql'>; log: Logger },
  signal: AbortSignal,
  start: () => Promise<void>,
  probeMs = PROBE_MS,
): Promise<void> {
  let said = '';
  const say = (what: string, fields: object, message: string) => {
    if (what !== said) log.warn(fields, message);
    said = what;
  };
  while (!signal.aborted) {
    try {
      const check = await checkDatabase(db);
      if (check.ok) return await start();
      say(check.reason, { reason: check.reason }, 'waiting for the database');
    } catch (error) {
      const { code, message } = error as { code?: string; message?: string };
      say(code ?? message ?? 'unknown', { err: error }, 'the database refused the start: trying again');
    }
    await waited(probeMs, signal);
  }
}
