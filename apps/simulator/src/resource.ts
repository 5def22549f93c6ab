import { describeError } from '@tickmark/domain';
import type { SimulatedMessage } from './message-store.ts';

export const API_VERSION = '2010-04-01';

/** The JSON of a Message resource, member by member as Twilio's OpenAPI document has it. */
export function toResource(message: SimulatedMessage, accountSid: string): Record<string, unknown> {
  const uri = `/${API_VERSION}/Accounts/${accountSid}/Messages/${message.sid}`;
  const sent = message.sentAt !== null;
  return {
    account_sid: accountSid,
    api_version: API_VERSION,
    body: message.body,
    date_created: toRfc2822(message.createdAt),
    date_sent: message.sentAt === null ? null : toRfc2822(message.sentAt),
    date_updated: toRfc2822(message.updatedAt),
    direction: message.direction,
    error_code: message.errorCode,
    error_message: message.errorCode === null ? null : describeError(message.errorCode).meaning,
    from: message.from,
    messaging_service_sid: message.messagingServiceSid,
    num_media: String(message.mediaCount),
    num_segments: message.from === null ? '0' : '1',
    price: sent && message.direction === 'outbound-api' ? '-0.00500' : null,
    price_unit: sent ? 'USD' : null,
    sid: message.sid,
    status: message.status,
    subresource_uris: { media: `${uri}/Media.json` },
    to: message.to,
    uri: `${uri}.json`,
  };
}

/** `Thu, 24 Aug 2023 05:01:45 +0000`: whole seconds, as Twilio writes them. */
export function toRfc2822(timeMs: number): string {
  return new Date(timeMs).toUTCString().replace('GMT', '+0000');
}
