import { createHash } from 'node:crypto';
import type { MessageListInstanceCreateOptions } from 'twilio/lib/rest/api/v2010/account/message.js';
import type { SendOutcome, SendRequest, UnknownReason } from '@tickmark/domain';
import { createErrorLogLimiter, type ErrorLogLimiter, type Logger } from '@tickmark/runtime';
import { MESSAGE_SID } from './message-sid.ts';
import { createSdkClient, type ApiOptions } from './sdk-client.ts';
import { buildStatusCallbackUrl } from './status-callback.ts';
import { CallError, createTwilioHttpClient } from './twilio-http-client.ts';

export interface MessagesClientOptions extends ApiOptions {
  /** Calls in flight at most; the connection pool has the same size. */
  concurrency: number;
  /** For one whole call, connecting and reading included. */
  timeoutMs?: number;
  /** null = messages are created without a StatusCallback. */
  statusCallback: { publicBaseUrl: string; overrides?: string } | null;
  log: Logger;
}

export interface MessagesClient {
  /**
   * One call of Twilio's create, never repeated: Twilio has no idempotency key, so a repetition may be a second message.
   *
   * Never rejects; whatever happens is an outcome. `throttled` and `rejected` are proofs that no message was created, `unknown` is
   * everything that is not proven. Not safe to repeat after `accepted` or `unknown`.
   */
  create(request: SendRequest): Promise<SendOutcome>;
  /**
   * Names the credentials as they are now, 16 hex: a stop of the account holds for them alone, so that new ones end it. Tells nothing
   * about the secret.
   */
  credentialsFingerprint(): string;
  /** Drops the connections. Calls in flight end as `unknown`. */
  close(): void;
}

/** The only 429 that Twilio documents as "never processed, always safe to retry". */
const TOO_MANY_REQUESTS = 20429;

/**
 * Twilio's Messages resource over the official client with our own HTTP client beneath. Nothing that comes out of it, outcome or log,
 * holds a credential, a phone or a body.
 */
export function createMessagesClient(options: MessagesClientOptions): MessagesClient {
  const { apiKeySid, apiKeySecret, baseUrl, concurrency, timeoutMs = 10_000, statusCallback } = options;
  const httpClient = createTwilioHttpClient({ apiKeySid, apiKeySecret, baseUrl, socketsMax: concurrency, timeoutMs });
  const client = createSdkClient(options, httpClient);
  const failures = createErrorLogLimiter({ log: options.log });

  return {
    create: async (request) => {
      try {
        const { statusCode, headers, body } = await client.messages.createWithHttpInfo(toCreateParams(request, statusCallback));
        return judgeCreated(body, { httpStatus: statusCode, errorCode: null, requestId: headers['twilio-request-id'] ?? null });
      } catch (error) {
        logFailure(failures, error);
        return error instanceof CallError ? judgeFailure(error) : unknown('unrecognized-answer', NO_EVIDENCE);
      }
    },
    credentialsFingerprint: () => fingerprintOf(apiKeySid, apiKeySecret),
    close: () => httpClient.close(),
  };
}

function fingerprintOf(sid: string, secret: { reveal(): string }): string {
  let text = sid;
  try {
    text += secret.reveal();
  } catch {
    // Unreadable: every call then ends before it connects, so it does not matter that no stop is known under this name.
  }
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function toCreateParams(request: SendRequest, statusCallback: MessagesClientOptions['statusCallback']): MessageListInstanceCreateOptions {
  const { messageId, attempt, senderAddress, body, mediaUrl, contentSid, contentVariables, validityPeriodSeconds } = request;
  return {
    to: request.recipient,
    ...(senderAddress.startsWith('MG') ? { messagingServiceSid: senderAddress } : { from: senderAddress }),
    ...(body !== null && { body }),
    ...(mediaUrl !== null && { mediaUrl: [mediaUrl] }),
    ...(contentSid !== null && { contentSid }),
    ...(contentVariables !== null && { contentVariables: JSON.stringify(contentVariables) }),
    ...(validityPeriodSeconds !== null && { validityPeriod: validityPeriodSeconds }),
    ...(statusCallback !== null && { statusCallback: buildStatusCallbackUrl({ ...statusCallback, messageId, attempt }) }),
  };
}

type Evidence = Pick<SendOutcome, 'httpStatus' | 'errorCode' | 'requestId'>;

const NO_EVIDENCE: Evidence = { httpStatus: null, errorCode: null, requestId: null };

function judgeCreated(message: { sid: unknown; status: unknown }, evidence: Evidence): SendOutcome {
  const { sid, status } = message;
  if (typeof sid !== 'string' || !MESSAGE_SID.test(sid)) return unknown('missing-sid', evidence);
  // A 2xx with a sid proves the message even when its status is missing; "queued" is the least that it can be.
  return { kind: 'accepted', ...evidence, messageSid: sid, rawStatus: typeof status === 'string' && status !== '' ? status : 'queued' };
}

/** What is proven by a call that brought no message: nothing, unless no connection was ever established or Twilio itself refused. */
function judgeFailure({ failure, evidence: { retryAfterMs, ...evidence } }: CallError): SendOutcome {
  switch (failure) {
    case 'not-connected':
      return { kind: 'throttled', ...evidence, retryAfterMs };
    case 'unparsable':
      return unknown('unparsable-answer', evidence);
    case 'refused':
      return judgeRefusal(evidence, retryAfterMs);
    case 'timeout':
    case 'connection-lost':
      return unknown(failure, evidence);
    default:
      return failure satisfies never;
  }
}

/**
 * A 4xx without a code of Twilio's comes from something in between (a proxy, a firewall), which may stand behind a request that already
 * went through, so it is unknown; and so is any 429 but the documented one.
 */
function judgeRefusal(evidence: Evidence, retryAfterMs: number | null): SendOutcome {
  const { httpStatus, errorCode } = evidence;
  if (httpStatus === null || httpStatus < 400) return unknown('unrecognized-answer', evidence);
  if (httpStatus >= 500) return unknown('server-error', evidence);
  if (errorCode === null) return unknown('unrecognized-answer', evidence);
  if (httpStatus !== 429) return { kind: 'rejected', ...evidence, errorCode };
  return errorCode === TOO_MANY_REQUESTS ? { kind: 'throttled', ...evidence, retryAfterMs } : unknown('unrecognized-answer', evidence);
}

function unknown(reason: UnknownReason, evidence: Evidence): SendOutcome {
  return { kind: 'unknown', ...evidence, reason };
}

/** Refusals are values and are counted by the caller; what the network did is said here, because an outcome does not hold it. */
function logFailure(failures: ErrorLogLimiter, error: unknown): void {
  if (!(error instanceof CallError)) {
    // Its message may quote what was sent, so only the name is told.
    failures.error('unforeseen', error instanceof Error ? error.name : typeof error, 'twilio call failed for an unforeseen reason');
  } else if (error.failure === 'not-connected') failures.error(error.message, error, 'twilio could not be reached');
  else if (error.failure !== 'refused') failures.error(error.message, error, 'twilio gave no usable answer');
}
