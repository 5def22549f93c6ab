import twilio from 'twilio';
import type RequestClient from 'twilio/lib/base/RequestClient.js';
import type { TwilioHttpClient } from './twilio-http-client.ts';

/** Where Twilio's API is and who asks. */
export interface ApiOptions {
  accountSid: string;
  apiKeySid: string;
  /** Asked at each call, so that a rotated secret is used at once. */
  apiKeySecret: { reveal(): string };
  /** Where Twilio's API is, for a simulator; absent = api.twilio.com. Region and edge are ignored when it is given. */
  baseUrl?: string | undefined;
  region?: string | undefined;
  edge?: string | undefined;
}

/** The official client over our own HTTP client, which alone knows the secret and sets the header. */
export function createSdkClient(options: ApiOptions, httpClient: TwilioHttpClient): twilio.Twilio {
  // An empty region or edge keeps the SDK from reading TWILIO_REGION and TWILIO_EDGE from the environment by itself; a base URL wins over
  // both in the HTTP client.
  const client = twilio(options.apiKeySid, 'set by the http client', {
    accountSid: options.accountSid,
    region: options.region ?? '',
    edge: options.edge ?? '',
    // The SDK asks its httpClient for `request` alone; its type is the class with all its fields.
    httpClient: httpClient as unknown as RequestClient,
  });
  if (options.baseUrl !== undefined) client.api.baseUrl = options.baseUrl;
  return client;
}
