import type { MessageContext } from 'twilio/lib/rest/api/v2010/account/message.js';
import { createErrorLogLimiter, type Logger } from '@tickmark/runtime';
import { createRequestPace } from './request-pace.ts';
import { createSdkClient, type ApiOptions } from './sdk-client.ts';
import { CallError, createTwilioHttpClient } from './twilio-http-client.ts';

export interface MessageRedactorOptions extends ApiOptions {
  /** Requests begun per second at most. */
  requestsPerSecond: number;
  /** For one whole request, connecting and reading included. */
  timeoutMs?: number;
  log: Logger;
}

/**
 * - `redacted`: Twilio has neither text nor media of the message any more.
 * - `gone`: it has no such message.
 * - `refused`: Twilio does not do it with this message (it does not before a message is final). To be repeated another time.
 * - `failed`: nothing is known, or our key may not do this. To be repeated another time.
 */
export type RedactAnswer = 'redacted' | 'gone' | 'refused' | 'failed';

export interface MessageRedactor {
  /** Removes text and media of a message, in or out, at Twilio. Never rejects; safe to repeat. */
  redact(messageSid: string): Promise<RedactAnswer>;
  /** Ends what is under way as `failed`. */
  close(): void;
}

/** Twilio's code for a resource that is not there; a 404 of somebody in between has none. */
const NOT_FOUND = 20404;
/** WhatsApp knows one medium per message; more than so many are those of another channel, and the rest is seen the next time. */
const MEDIA_MAX = 20;

export function createMessageRedactor(options: MessageRedactorOptions): MessageRedactor {
  const { apiKeySid, apiKeySecret, baseUrl, timeoutMs = 10_000, requestsPerSecond, log } = options;
  const httpClient = createTwilioHttpClient({ apiKeySid, apiKeySecret, baseUrl, socketsMax: 1, timeoutMs });
  const client = createSdkClient(options, httpClient);
  const pace = createRequestPace(requestsPerSecond);
  const failures = createErrorLogLimiter({ log });
  const closed = new AbortController();
  const request = async <T>(ask: () => Promise<T>): Promise<T> => {
    await pace.take(closed.signal);
    return ask();
  };

  return {
    redact: async (messageSid) => {
      const message = client.messages(messageSid);
      try {
        const { numMedia } = await request(() => message.update({ body: '' }));
        if (Number(numMedia) > 0) await removeMedia(message, request);
        return 'redacted';
      } catch (error) {
        if (isNotFound(error)) return 'gone';
        if (!closed.signal.aborted) {
          // The SDK's own errors may quote the answer, which may hold texts, so only the name is told.
          if (error instanceof CallError) failures.error(error.message, error, 'twilio did not redact a message');
          else failures.error('unforeseen', error instanceof Error ? error.name : typeof error, "twilio's answer was not understood");
        }
        return isRefused(error) ? 'refused' : 'failed';
      }
    },
    close: () => {
      closed.abort();
      httpClient.close();
    },
  };
}

async function removeMedia(message: MessageContext, request: <T>(ask: () => Promise<T>) => Promise<T>): Promise<void> {
  const media = await request(() => message.media.list({ limit: MEDIA_MAX }));
  for (const { sid } of media) {
    // oxlint-disable-next-line no-await-in-loop -- within the budget of requests
    await request(() => message.media(sid).remove()).catch(acceptNoContent);
  }
}

/** Our HTTP client takes an answer without JSON for none; to a deletion it is the right one. */
function acceptNoContent(error: unknown): void {
  if (!(error instanceof CallError && error.evidence.httpStatus === 204)) throw error;
}

/** An answer to this one message, by Twilio itself: neither to our key nor to our pace, and of nobody in between. */
function isRefused(error: unknown): boolean {
  if (!(error instanceof CallError)) return false;
  const { httpStatus, errorCode } = error.evidence;
  return errorCode !== null && httpStatus !== null && httpStatus >= 400 && httpStatus < 500 && ![401, 403, 429].includes(httpStatus);
}

function isNotFound(error: unknown): boolean {
  return error instanceof CallError && error.evidence.httpStatus === 404 && error.evidence.errorCode === NOT_FOUND;
}
