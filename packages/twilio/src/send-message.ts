import type { SendOutcome, SendRequest } from '@tickmark/domain';
import type { Logger } from '@tickmark/runtime';

export interface MessagesClientOptions {
  accountSid: string;
  apiKeySid: string;
  /** Asked at each call, so that a rotated secret is used at once. */
  apiKeySecret: { reveal(): string };
  /** Where Twilio's API is, for a simulator; absent = api.twilio.com. Region and edge are ignored when it is given. */
  baseUrl?: string | undefined;
  region?: string | undefined;
  edge?: string | undefined;
  /** Calls in flight at most; the connection pool has the same size. */
  concurrency: number;
  /** For one whole call, connecting and reading included. */
  timeoutMs?: number;
  /** null = messages are created without a StatusCallback. */
  statusCallback: { publicBaseUrl: string; overrides?: string } | null;
  log: Logger;
}

export interface MessagesClient {
  create(request: SendRequest): Promise<SendOutcome>;
  close(): void;
}

export function createMessagesClient(_options: MessagesClientOptions): MessagesClient {
  throw new Error('not built yet');
}
