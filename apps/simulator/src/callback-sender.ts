import { randomUUID } from 'node:crypto';
import { stringify } from 'node:querystring';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '@tickmark/runtime';
import { signRequest } from '@tickmark/twilio';
import { readOverrides, type ConnectionOverrides } from './connection-overrides.ts';
import { createHttpPoster, type HttpPoster, type PostResult } from './http-post.ts';

/** One webhook request: a status callback or an inbound message. */
export interface Webhook {
  /** With the connection overrides in its fragment, if any. */
  url: string;
  params: Record<string, string>;
  /** The same token on a duplicate says that both tell of one event. */
  token?: string;
}

/** `httpStatus` of the last answer, null when there was none; `tries` counts requests, the first included. */
export interface DeliveryResult {
  httpStatus: number | null;
  tries: number;
}

export interface CallbackSender {
  /** Delivers with Twilio's retries, and resolves when it is done or given up; never rejects. */
  send(webhook: Webhook): Promise<DeliveryResult>;
  /** Webhooks that are waiting or under way. */
  pending(): number;
  /** Gives up what is waiting; what is under way ends as it may. */
  close(): void;
}

/** Webhooks under way at most; more wait in memory. Enough for 4,000 a second at 60 ms each. */
const IN_FLIGHT_MAX = 256;
/** Webhooks waiting at most: some 1.5 kB each. More are lost, and the log says so. */
const WAITING_MAX = 200_000;
/** Twilio does not say how long it waits between tries. */
const RETRY_PAUSE_MS = 100;

export function createCallbackSender(options: { authToken: () => string; log: Logger; inFlightMax?: number }): CallbackSender {
  const { authToken, log, inFlightMax = IN_FLIGHT_MAX } = options;
  const poster = createHttpPoster({ socketsMax: inFlightMax });
  const waiting = createWaitingLine();
  let inFlight = 0;
  let closed = false;

  const run = async (webhook: Webhook): Promise<DeliveryResult> => {
    inFlight++;
    try {
      return await deliver(sign(webhook, authToken()), poster);
    } catch (err) {
      log.error({ err }, 'webhook could not be sent');
      return { httpStatus: null, tries: 0 };
    } finally {
      inFlight--;
      waiting.take()?.();
    }
  };

  return {
    send: async (webhook) => {
      if (inFlight >= inFlightMax) {
        if (closed || waiting.length() >= WAITING_MAX) {
          log.warn({ waiting: waiting.length() }, 'webhook lost: too many are waiting');
          return { httpStatus: null, tries: 0 };
        }
        await new Promise<void>((resolve) => waiting.add(resolve));
      }
      return closed ? { httpStatus: null, tries: 0 } : await run(webhook);
    },
    pending: () => inFlight + waiting.length(),
    close: () => {
      closed = true;
      for (let next = waiting.take(); next; next = waiting.take()) next();
      poster.close();
    },
  };
}

interface SignedWebhook {
  url: URL;
  overrides: ConnectionOverrides;
  headers: readonly string[];
  body: string;
}

function sign({ url: text, params, token = randomUUID() }: Webhook, authToken: string): SignedWebhook {
  const url = new URL(text);
  const overrides = readOverrides(url.hash);
  const body = stringify(params);
  // Names and values in turn: as a list they cost half of what an object costs.
  // prettier-ignore
  const headers = [
    'Host', url.host,
    'Content-Type', 'application/x-www-form-urlencoded; charset=utf-8',
    'Content-Length', String(body.length),
    'Connection', 'keep-alive',
    'Accept', '*/*',
    'User-Agent', 'TwilioProxy/1.1',
    'X-Twilio-Signature', signRequest({ token: authToken, url: text, params }),
    'I-Twilio-Idempotency-Token', token,
  ];
  return { url, overrides, headers, body };
}

async function deliver({ url, overrides, headers, body }: SignedWebhook, poster: HttpPoster): Promise<DeliveryResult> {
  const deadline = performance.now() + overrides.totalTimeoutMs;
  let httpStatus: number | null = null;
  for (let tries = 1; ; tries++) {
    // Whole milliseconds: a timer of a fraction costs 20 µs more.
    const leftMs = Math.max(1, Math.ceil(deadline - performance.now()));
    const result = await poster.post({
      url,
      headers,
      body,
      connectTimeoutMs: overrides.connectTimeoutMs,
      readTimeoutMs: overrides.readTimeoutMs,
      totalTimeoutMs: leftMs,
    });
    httpStatus = result.kind === 'answered' ? result.status : null;
    const over = tries > overrides.retriesMax || performance.now() + RETRY_PAUSE_MS >= deadline;
    if (over || !asksForRetry(result, overrides.retryOn)) return { httpStatus, tries };
    await pause(RETRY_PAUSE_MS, undefined, { ref: false });
  }
}

function asksForRetry(result: PostResult, retryOn: ConnectionOverrides['retryOn']): boolean {
  if (result.kind === 'partial') return false;
  if (result.kind !== 'answered') return retryOn.has('all') || (result.kind !== 'broken' && retryOn.has(result.kind));
  if (result.status < 400) return false;
  return retryOn.has('all') || retryOn.has(result.status < 500 ? '4xx' : '5xx');
}

/** First in, first out, without moving the rest at each step. */
function createWaitingLine(): { add(go: () => void): void; take(): (() => void) | undefined; length(): number } {
  let line: (() => void)[] = [];
  let head = 0;
  return {
    add: (go) => void line.push(go),
    take: () => {
      const next = line[head++];
      if (head > 10_000 && head * 2 > line.length) [line, head] = [line.slice(head), 0];
      if (next === undefined) [line, head] = [[], 0];
      return next;
    },
    length: () => line.length - head,
  };
}
