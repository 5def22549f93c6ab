import type { StatusEvent } from '@tickmark/domain';
import { readText, readWhole, type FormParams } from './form.ts';

/**
 * Connection overrides of Twilio's webhooks: 5 retries, also after a read time-out and a 5xx, 2 s to connect, 4 s to read. Without them
 * Twilio repeats once, and only when it could not connect; with them up to six tries fit into its 15 s. They stand in the fragment,
 * which Twilio neither sends nor signs.
 */
export const DEFAULT_STATUS_CALLBACK_OVERRIDES = 'rc=5&rp=ct,rt,5xx&ct=2000&rt=4000';

export type StatusCallbackParseResult =
  | { ok: true; event: StatusEvent; accountSid: string | null }
  | { ok: false; reason: 'missing-sid' | 'missing-status'; accountSid: string | null };

/** The same form that the domain's schema demands of a UUID. */
const UUID = /^([0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|0{8}-(?:0{4}-){3}0{12}|f{8}-(?:f{4}-){3}f{12})$/;
/** Up to nine digits: any such number fits Postgres' integer. */
const POSITIVE_INTEGER = /^[1-9]\d{0,8}$/;

/**
 * Reads a status callback. Verify the signature first, over every parameter and the raw query: this looks at the parameters it knows
 * and ignores the rest, because Twilio adds parameters without notice. Status words that we do not know are kept as they are.
 *
 * @param query the parsed query string: `m` (our message id) and `a` (the attempt); anything else than a UUID and a number above 0 is
 *   null, never a refusal.
 * @param receivedAt when the callback arrived; Twilio sends neither a time nor a sequence.
 * @returns the event, always valid by the domain's schema: texts are sanitised and cut. `missing-sid` also means too long to be one.
 *   The caller compares `accountSid` with its own account.
 */
export function parseStatusCallback(params: FormParams, query: unknown, receivedAt: Date): StatusCallbackParseResult {
  const accountSid = readWhole(params, 'AccountSid', 64);
  const messageSid = readWhole(params, 'MessageSid', 64) ?? readWhole(params, 'SmsSid', 64);
  if (messageSid === null) return { ok: false, reason: 'missing-sid', accountSid };
  // EventType (READ, DELIVERED) was only ever seen beside MessageStatus; alone it still says what happened.
  const rawStatus =
    readText(params, 'MessageStatus', 64) ?? readText(params, 'SmsStatus', 64) ?? readText(params, 'EventType', 64)?.toLowerCase() ?? null;
  if (rawStatus === null) return { ok: false, reason: 'missing-status', accountSid };
  const { m, a } = (query ?? {}) as { m?: unknown; a?: unknown };
  const event: StatusEvent = {
    messageId: readMessageId(m),
    attempt: typeof a === 'string' && POSITIVE_INTEGER.test(a) ? Number(a) : null,
    messageSid,
    rawStatus,
    errorCode: readErrorCode(params),
    receivedAt: receivedAt.toISOString(),
    from: readWhole(params, 'From', 256),
    to: readWhole(params, 'To', 256),
    messagingServiceSid: readWhole(params, 'MessagingServiceSid', 64),
    channelStatusMessage: readText(params, 'ChannelStatusMessage', 1024),
    source: 'callback',
  };
  return { ok: true, event, accountSid };
}

/**
 * The StatusCallback of one attempt. Message id and attempt travel in the query, which Twilio signs, so that a callback proves a
 * creation whose answer was lost and may arrive before that answer.
 *
 * @param callback.overrides connection overrides without `#`; empty = none.
 */
export function buildStatusCallbackUrl(callback: {
  publicBaseUrl: string;
  messageId: string;
  attempt: number;
  overrides?: string;
}): string {
  const { publicBaseUrl, messageId, attempt, overrides = DEFAULT_STATUS_CALLBACK_OVERRIDES } = callback;
  const url = webhookUrl(publicBaseUrl, `/webhooks/twilio/status?m=${messageId}&a=${attempt}`);
  return overrides === '' ? url : `${url}#${overrides}`;
}

/**
 * The URL that Twilio requested and signed: the configured public base and the raw path with query (Fastify's `request.url`). Never
 * built from Host or X-Forwarded-*, which any caller can choose.
 */
export function webhookUrl(publicBaseUrl: string, rawPathAndQuery: string): string {
  return publicBaseUrl.endsWith('/') ? webhookUrl(publicBaseUrl.slice(0, -1), rawPathAndQuery) : publicBaseUrl + rawPathAndQuery;
}

function readMessageId(m: unknown): string | null {
  const id = typeof m === 'string' ? m.toLowerCase() : '';
  return UUID.test(id) ? id : null;
}

/** 0 counts as no error: kept, it would make a second log entry beside the same status without a code. */
function readErrorCode(params: FormParams): number | null {
  const text = readText(params, 'ErrorCode', 64);
  return text !== null && POSITIVE_INTEGER.test(text) ? Number(text) : null;
}
