import { describeError } from '@tickmark/domain';
import type { Metrics } from '@tickmark/runtime';

/** Counts a message's error under its code and class; a code that our table does not know is `other`, so that labels stay a closed set. */
export function countMessageError(metrics: Pick<Metrics, 'messageErrors'>, errorCode: number): void {
  const { class: errorClass, known } = describeError(errorCode);
  metrics.messageErrors.inc({ code: known ? String(errorCode) : 'other', class: errorClass });
}
