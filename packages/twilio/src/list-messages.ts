import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { MessageInstance, MessageListInstancePageOptions, MessagePage } from 'twilio/lib/rest/api/v2010/account/message.js';
import type { ListedMessage, PolledMessage } from '@tickmark/domain';
import { createErrorLogLimiter, type ErrorLogLimiter, type Logger } from '@tickmark/runtime';
import { MESSAGE_SID } from './message-sid.ts';
import { createRequestPace } from './request-pace.ts';
import { createSdkClient, type ApiOptions } from './sdk-client.ts';
import { CallError, createTwilioHttpClient, type CallFailure } from './twilio-http-client.ts';

export interface MessageListerOptions extends ApiOptions {
  /** Requests in flight at most; the connection pool has the same size. */
  concurrency: number;
  /** Requests begun per second at most: a budget apart from that of sending. */
  requestsPerSecond: number;
  /** For one whole request, connecting and reading included. */
  timeoutMs?: number;
  /** Before a request is made a second time; the third one waits twice as long. */
  retryDelayMs?: number;
  log: Logger;
}

export interface ListQuery {
  recipient: string;
  /** `whatsapp:+E164` or a Messaging Service `MG…`. */
  senderAddress: string;
  /** By Twilio's date_created. */
  since: Date;
}

/**
 * - `listed`: every message of this sender to this recipient that was created since then, newest first.
 * - `too_many`: there may be more than the pages that we read; nothing can be told from them.
 * - `failed`: Twilio gave no usable list. Nothing is known, and least of all that there is none.
 */
export type ListAnswer =
  | { kind: 'listed'; messages: ListedMessage[] }
  | { kind: 'too_many' }
  | { kind: 'failed'; failure: CallFailure | 'unforeseen'; httpStatus: number | null; errorCode: number | null };

export interface SentQuery {
  /** `whatsapp:+E164` or a Messaging Service `MG…`. */
  senderAddress: string;
  /** By Twilio's date_sent, both included. */
  since: Date;
  until: Date;
}

export type ListFailure = Extract<ListAnswer, { kind: 'failed' }>;

/** One message as Twilio has it. `gone`: this account has none of that sid (any more). */
export type FetchAnswer = { kind: 'found'; message: PolledMessage } | { kind: 'gone' } | ListFailure;

export interface MessageLister {
  /** Reads Twilio's list. Never rejects; safe to repeat. */
  list(query: ListQuery): Promise<ListAnswer>;
  /**
   * Reads everything that a sender sent in a period, page by page. A message that was never sent has no such date and is in no period.
   * Rejects with what `onPage` throws only; safe to repeat.
   */
  listSent(query: SentQuery, onPage: (messages: PolledMessage[]) => Promise<void>): Promise<{ kind: 'listed' } | ListFailure>;
  /** Reads one message. Never rejects; safe to repeat. */
  fetch(messageSid: string): Promise<FetchAnswer>;
  /** Ends what is under way as `failed`, and every later list at once. */
  close(): void;
}

const PAGE_SIZE = 50;
/** One person gets few messages in the minutes that we look back; more than so many pages is no single person. */
const PAGES_MAX = 20;
const TRIES_MAX = 3;
/** Twilio's code for a resource that is not there; a 404 of somebody in between has none. */
const NOT_FOUND = 20404;
/** A page of it stays below what an answer may have, whatever its texts are. */
const SENT_PAGE_SIZE = 100;
/** Of a status word that is kept. */
const STATUS_CHARACTERS_MAX = 64;

/**
 * Twilio's list of messages over the official client. It asks for no DateSent: a message that was not sent yet has none, and it is those
 * that we look for. Nothing that comes out of it, answer or log, holds a credential, a recipient or a text.
 */
export function createMessageLister(options: MessageListerOptions): MessageLister {
  const { apiKeySid, apiKeySecret, baseUrl, concurrency, timeoutMs = 5_000, retryDelayMs = 500, log } = options;
  const httpClient = createTwilioHttpClient({ apiKeySid, apiKeySecret, baseUrl, socketsMax: concurrency, timeoutMs });
  const client = createSdkClient(options, httpClient);
  const pace = createRequestPace(options.requestsPerSecond);
  const failures = createErrorLogLimiter({ log });
  const closed = new AbortController();

  const request = async <T>(read: () => Promise<T>): Promise<T> => {
    for (let tries = 1; ; tries += 1) {
      await pace.take(closed.signal);
      try {
        return await read();
      } catch (error) {
        if (tries === TRIES_MAX || !isWorthRepeating(error)) throw error;
        await pause(retryDelayMs * tries, undefined, { signal: closed.signal });
      }
    }
  };

  /** @returns null when more pages follow than are read. */
  const readPages = async (filter: MessageListInstancePageOptions, since: Date): Promise<ListedMessage[] | null> => {
    const messages: ListedMessage[] = [];
    let page = await request(() => client.messages.page(filter));
    for (let pages = 1; ; pages += 1) {
      const listed = page.instances.map(readMessage);
      messages.push(...listed);
      const { nextPageUrl } = page;
      // The whole page, not its last row: no documentation says by which of a message's dates the list is sorted.
      if (nextPageUrl === undefined || listed.every(({ createdAt }) => createdAt < since)) return messages;
      if (pages === PAGES_MAX) return null;
      page = await request(() => client.messages.getPage(nextPageUrl));
    }
  };

  const fail = (error: unknown): ListFailure => {
    if (!closed.signal.aborted) logFailure(failures, error);
    return describeFailure(error);
  };

  return {
    listSent: async ({ senderAddress, since, until }, onPage) => {
      const service = senderAddress.startsWith('MG') ? senderAddress : null;
      const filter = { dateSentAfter: since, dateSentBefore: until, pageSize: SENT_PAGE_SIZE };
      let next: (() => Promise<MessagePage>) | undefined = () =>
        client.messages.page(service === null ? { ...filter, from: senderAddress } : filter);
      while (next !== undefined) {
        let page: MessagePage;
        let messages: PolledMessage[];
        try {
          page = await request(next);
          messages = page.instances.map(readPolled);
        } catch (error) {
          return fail(error);
        }
        await onPage(service === null ? messages : messages.filter(({ messagingServiceSid }) => messagingServiceSid === service));
        const { nextPageUrl } = page;
        next = nextPageUrl === undefined ? undefined : () => client.messages.getPage(nextPageUrl);
      }
      return { kind: 'listed' };
    },
    fetch: async (messageSid) => {
      try {
        return { kind: 'found', message: readPolled(await request(() => client.messages(messageSid).fetch())) };
      } catch (error) {
        if (error instanceof CallError && error.evidence.httpStatus === 404 && error.evidence.errorCode === NOT_FOUND)
          return { kind: 'gone' };
        return fail(error);
      }
    },
    list: async ({ recipient, senderAddress, since }) => {
      const service = senderAddress.startsWith('MG') ? senderAddress : null;
      try {
        const messages = await readPages({ to: recipient, pageSize: PAGE_SIZE, ...(service === null && { from: senderAddress }) }, since);
        if (messages === null) return { kind: 'too_many' };
        return { kind: 'listed', messages: messages.filter((message) => isAskedFor(message, service, since)) };
      } catch (error) {
        return fail(error);
      }
    },
    close: () => {
      closed.abort();
      httpClient.close();
    },
  };
}

/** The list knows no filter for Messaging Services. */
function isAskedFor({ messagingServiceSid, createdAt }: ListedMessage, service: string | null, since: Date): boolean {
  return createdAt >= since && (service === null || messagingServiceSid === service);
}

/** A row whose sid or date cannot be read makes the whole list worthless: it may be the one that is looked for. */
function readMessage(row: MessageInstance): ListedMessage {
  const { sid, status, errorCode, body, from, messagingServiceSid, dateCreated, direction } = row as Partial<MessageInstance>;
  if (!isText(sid) || !MESSAGE_SID.test(sid) || !(dateCreated instanceof Date) || Number.isNaN(dateCreated.getTime()))
    return unexpected('a row without sid or date');
  return {
    messageSid: sid,
    rawStatus: isText(status) ? status.slice(0, STATUS_CHARACTERS_MAX) : 'queued',
    errorCode: typeof errorCode === 'number' && Number.isInteger(errorCode) ? errorCode : null,
    contentSha256: isText(body) ? createHash('sha256').update(body).digest('hex') : null,
    from: isText(from) ? from : null,
    messagingServiceSid: isText(messagingServiceSid) ? messagingServiceSid : null,
    createdAt: dateCreated,
    direction: isText(direction) ? direction : '',
  };
}

function readPolled(row: MessageInstance): PolledMessage {
  const message = readMessage(row);
  const { dateUpdated } = row as Partial<MessageInstance>;
  const isDate = dateUpdated instanceof Date && !Number.isNaN(dateUpdated.getTime());
  return { ...message, updatedAt: isDate ? dateUpdated : message.createdAt };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function unexpected(what: string): never {
  throw new TypeError(`twilio's list has ${what}`);
}

/** Refusals stay what they are, and a list that we do not understand will not be understood a second later. */
function isWorthRepeating(error: unknown): boolean {
  if (!(error instanceof CallError)) return false;
  return error.failure !== 'refused' || (error.evidence.httpStatus ?? 0) >= 500;
}

function logFailure(failures: ErrorLogLimiter, error: unknown): void {
  if (error instanceof CallError) failures.error(error.message, error, "twilio's list could not be read");
  // The SDK's own errors may quote the answer, which holds texts and recipients, so only the name is told.
  else failures.error('unforeseen', error instanceof Error ? error.name : typeof error, "twilio's list was not understood");
}

function describeFailure(error: unknown): ListFailure {
  if (!(error instanceof CallError)) return { kind: 'failed', failure: 'unforeseen', httpStatus: null, errorCode: null };
  const { failure, evidence } = error;
  return { kind: 'failed', failure, httpStatus: evidence.httpStatus, errorCode: evidence.errorCode };
}
