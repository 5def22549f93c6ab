import type { StatusEvent } from '@tickmark/domain';
import type { FormParams } from './form.ts';

export const DEFAULT_STATUS_CALLBACK_OVERRIDES = 'rc=5&rp=ct,rt,5xx&ct=2000&rt=4000';

export type StatusCallbackParseResult =
  | { ok: true; event: StatusEvent; accountSid: string | null }
  | { ok: false; reason: 'missing-sid' | 'missing-status'; accountSid: string | null };

/** `query` is the parsed query string (Fastify's `request.query`). */
export function parseStatusCallback(_params: FormParams, _query: unknown, _receivedAt: Date): StatusCallbackParseResult {
  throw new Error('not built yet');
}

export function buildStatusCallbackUrl(_callback: {
  publicBaseUrl: string;
  messageId: string;
  attempt: number;
  overrides?: string;
}): string {
  throw new Error('not built yet');
}

/** The URL that Twilio requested and signed: PUBLIC_BASE_URL and the raw path with query (Fastify's `request.url`). */
export function webhookUrl(_publicBaseUrl: string, _rawPathAndQuery: string): string {
  throw new Error('not built yet');
}
