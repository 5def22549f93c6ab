import type { RecordAnswer } from '@tickmark/delivery';
import type { Logger, Metrics } from '@tickmark/runtime';
import { countMessageError } from './count-message-error.ts';
import type { MadeCall } from './hand-over.ts';

/**
 * Counts and logs what a call made of its row.
 *
 * @returns when the row may be claimed again; null when there is nothing left to do for it
 */
export function reportRecorded(
  { metrics, log }: { metrics: Metrics; log: Logger },
  { id, attempt, sender, outcome }: MadeCall,
  recorded: RecordAnswer,
): Date | null {
  if (recorded.kind !== 'recorded') {
    log.debug({ messageId: id, attempt, sender, recorded: recorded.kind }, 'outcome was known already');
    return null;
  }
  metrics.messageStatus.inc({ status: recorded.status });
  if (recorded.status === 'failed' && outcome.errorCode !== null) countMessageError(metrics, outcome.errorCode);
  if (recorded.status === 'unknown') {
    log.warn({ messageId: id, attempt, sender, httpStatus: outcome.httpStatus }, 'outcome unknown: not sent again until it is resolved');
  }
  if (recorded.status === 'held') {
    log.warn({ messageId: id, attempt, sender, errorCode: outcome.errorCode }, 'message held: its error code waits for a person');
  }
  return recorded.dueAt;
}
