import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { createTwilioAgent, type TwilioAgent } from './twilio-agent.ts';

/** Evidence of one call: what is needed to judge it, and nothing that is secret or personal. */
export interface CallEvidence {
  httpStatus: number | null;
  /** Twilio's numeric code, from a body that has the form of Twilio's errors; else null. */
  errorCode: number | null;
  /** Twilio-Request-Id. */
  requestId: string | null;
  /** From Retry-After. */
  retryAfterMs: number | null;
}

/**
 * - `not-connected`: no connection was ever established, so no byte of the request left.
 * - `timeout`, `connection-lost`: it broke off after that.
 * - `refused`: an answer other than 2xx. `unparsable`: a 2xx without a JSON object.
 */
export type CallFailure = 'not-connected' | 'timeout' | 'connection-lost' | 'refused' | 'unparsable';

/** A call without a usable 2xx. Carries no body, header, phone or credential, so it may be logged as it is. */
export class CallError extends Error {
  readonly failure: CallFailure;
  readonly evidence: CallEvidence;
  /** The system's code (ECONNREFUSED, CERT_HAS_EXPIRED, …) for an operator; never decided by. */
  readonly systemCode: string | null;

  constructor(failure: CallFailure, evidence: CallEvidence, systemCode: string | null = null) {
    super(`the call to twilio failed: ${failure}${systemCode === null ? '' : ` (${systemCode})`}`);
    this.name = 'CallError';
    this.failure = failure;
    this.evidence = evidence;
    this.systemCode = systemCode;
  }
}

/** What the SDK hands to an `httpClient`, as far as we use it. */
interface SdkRequest {
  method: string;
  uri: string;
  headers?: Record<string, string>;
  /** The query of a GET. */
  params?: Fields;
  /** The form of a POST. */
  data?: Fields;
}

type Fields = Record<string, FormValue | readonly FormValue[] | undefined>;

type FormValue = string | number | boolean;

interface SdkResponse {
  statusCode: number;
  body: object;
  headers: { 'twilio-request-id'?: string };
}

export interface TwilioHttpClient {
  request(request: SdkRequest): Promise<SdkResponse>;
  close(): void;
}

const NO_EVIDENCE: CallEvidence = { httpStatus: null, errorCode: null, requestId: null, retryAfterMs: null };

/** A create answer has 1 KB; a proxy's page must not fill the memory. */
const ANSWER_BYTES_MAX = 1_048_576;

/**
 * The SDK's `httpClient`: one connection pool of `socketsMax`, no retry, no redirect, no proxy from the environment, one time limit for
 * the whole call.
 *
 * It replaces the SDK's own because that hides whether a connection was ever established, loses the headers of refusals, and throws
 * errors that carry the Authorization header and the form.
 *
 * @returns a client whose `request` resolves for a 2xx with a JSON object only, and rejects with CallError otherwise.
 */
export function createTwilioHttpClient(options: {
  apiKeySid: string;
  apiKeySecret: { reveal(): string };
  /** When given, requests go to this origin whatever host the SDK computed (it takes long host names apart). */
  baseUrl: string | undefined;
  socketsMax: number;
  timeoutMs: number;
  /** A certificate to trust instead of the system's; for tests. */
  ca?: string;
}): TwilioHttpClient {
  const base = options.baseUrl === undefined ? undefined : new URL(options.baseUrl);
  const pool = createTwilioAgent({ secure: base?.protocol !== 'http:', socketsMax: options.socketsMax, ca: options.ca });

  return {
    request: async ({ method, uri, headers, params, data }) => {
      const target = new URL(uri);
      // A next page's address has its query already.
      if (params !== undefined) target.search = encodeFields(params);
      return call({
        url: base === undefined ? target : new URL(target.pathname + target.search, base.origin),
        method: method.toUpperCase(),
        headers: { ...headers, Authorization: readAuthorization(options) },
        body: encodeFields(data ?? {}),
        pool,
        timeoutMs: options.timeoutMs,
      });
    },
    close: () => pool.agent.destroy(),
  };
}

interface Call {
  url: URL;
  method: string;
  headers: Record<string, string>;
  body: string;
  pool: TwilioAgent;
  timeoutMs: number;
}

async function call({ url, method, headers, body, pool, timeoutMs }: Call): Promise<SdkResponse> {
  const request = (url.protocol === 'http:' ? httpRequest : httpsRequest)(url, {
    method,
    agent: pool.agent,
    headers: { ...headers, 'Content-Length': Buffer.byteLength(body) },
  });
  let socket: Duplex | undefined;
  let timedOut = false;
  let evidence = NO_EVIDENCE;
  request.once('socket', (given) => (socket = given));
  // An error that comes when the call is already judged must not end the process.
  request.on('error', () => {});
  const timer = setTimeout(() => {
    timedOut = true;
    request.destroy();
  }, timeoutMs);
  try {
    request.end(body);
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    evidence = readHeaders(response);
    pool.noteKeepAlive(response.socket, response.headers['keep-alive']?.toString());
    return acceptAnswer(response, evidence, await readAll(response));
  } catch (error) {
    if (error instanceof CallError) throw error;
    const connected = socket !== undefined && pool.wasConnected(socket);
    const systemCode = timedOut ? 'ETIMEDOUT' : ((error as NodeJS.ErrnoException).code ?? null);
    // No cause: what Node throws here may hold the request with its headers.
    throw new CallError(!connected ? 'not-connected' : timedOut ? 'timeout' : 'connection-lost', evidence, systemCode);
  } finally {
    clearTimeout(timer);
  }
}

/** An unreadable secret stops the call before it begins, so it may be made again once the secret is back. */
function readAuthorization(key: { apiKeySid: string; apiKeySecret: { reveal(): string } }): string {
  try {
    return `Basic ${Buffer.from(`${key.apiKeySid}:${key.apiKeySecret.reveal()}`).toString('base64')}`;
  } catch (error) {
    throw new CallError('not-connected', NO_EVIDENCE, `API key secret unreadable, ${(error as NodeJS.ErrnoException).code ?? 'no code'}`);
  }
}

/** @returns null when the answer is larger than any of Twilio's. */
async function readAll(response: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function acceptAnswer(response: IncomingMessage, evidence: CallEvidence, text: string | null): SdkResponse {
  const { statusCode = 0 } = response;
  const answer = parseObject(text);
  if (statusCode < 200 || statusCode > 299) throw new CallError('refused', { ...evidence, errorCode: readErrorCode(answer) });
  if (answer === null) throw new CallError('unparsable', evidence);
  return { statusCode, body: answer, headers: evidence.requestId === null ? {} : { 'twilio-request-id': evidence.requestId } };
}

/** Repeated keys for arrays, as Twilio wants MediaUrl. */
function encodeFields(fields: Fields): string {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    for (const one of [value ?? []].flat()) form.append(name, String(one));
  }
  return form.toString();
}

function readHeaders({ statusCode, headers }: IncomingMessage): CallEvidence {
  const requestId = headers['twilio-request-id'];
  return {
    httpStatus: statusCode ?? null,
    errorCode: null,
    requestId: typeof requestId === 'string' && /^[\w-]{1,64}$/.test(requestId) ? requestId : null,
    retryAfterMs: readRetryAfter(headers['retry-after']),
  };
}

/** Seconds or an HTTP date (RFC 9110); a date in the past is 0. */
function readRetryAfter(header: string | undefined): number | null {
  if (header === undefined) return null;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1_000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, date - Date.now());
}

function parseObject(text: string | null): object | null {
  try {
    const value: unknown = JSON.parse(text ?? '');
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    // The message of a SyntaxError quotes the body, so it is not passed on.
    return null;
  }
}

/**
 * The code of Twilio's error bodies: `{code, message, more_info, status}` and, in newer APIs, RFC 9457's `{type, title, status, code}`.
 * All of Twilio's codes are above 10000; a smaller one comes from a gateway that repeats the HTTP status, and proves nothing.
 */
function readErrorCode(answer: object | null): number | null {
  const code = answer !== null && 'code' in answer ? answer.code : null;
  return typeof code === 'number' && Number.isInteger(code) && code >= 10_000 ? code : null;
}
