import type { MessageStatus } from './statuses.ts';

/**
 * What became of a request to cancel a message:
 *
 * - `canceled`: it will not be sent, be it by this request or an earlier one
 * - `already_sent`: Twilio has it, or may have it
 * - `final`: it ended without being sent
 * - `not_found`: the producer has no message of that id
 */
export const CANCEL_RESULTS = ['canceled', 'already_sent', 'final', 'not_found'] as const;
export type CancelResult = (typeof CANCEL_RESULTS)[number];

const ENDED_UNSENT: readonly MessageStatus[] = ['failed', 'expired', 'suppressed'];

/** What a producer is told whose message has this status once everything that waited was canceled. */
export function cancelResultOf({
  status,
  messageSid,
}: {
  status: MessageStatus;
  messageSid: string | null;
}): Exclude<CancelResult, 'not_found'> {
  if (status === 'canceled') return 'canceled';
  return messageSid === null && ENDED_UNSENT.includes(status) ? 'final' : 'already_sent';
}
