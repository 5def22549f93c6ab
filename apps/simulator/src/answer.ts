import { refusalBody, type TwilioRefusal } from './twilio-errors.ts';

/** What a request gets: an HTTP answer, a reset connection, or silence until the client gives up. */
export type Answer = HttpAnswer | 'reset' | 'stall';

export interface HttpAnswer {
  status: number;
  contentType: string;
  body: string;
}

export function jsonAnswer(status: number, value: unknown): HttpAnswer {
  return { status, contentType: 'application/json', body: JSON.stringify(value) };
}

export function refusalAnswer(refusal: TwilioRefusal): HttpAnswer {
  return { status: refusal.status, contentType: 'application/json', body: refusalBody(refusal) };
}

/** The status for the ledger; null when nothing is answered. */
export function httpStatusOf(answer: Answer): number | null {
  return typeof answer === 'string' ? null : answer.status;
}
