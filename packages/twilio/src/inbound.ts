import { INBOUND_DETAIL_MAX, type InboundMessage } from '@tickmark/domain';
import { readText, readWhole, type FormParams } from './form.ts';

export type InboundParseResult =
  | { ok: true; message: InboundMessage; accountSid: string | null }
  | { ok: false; reason: 'missing-sid' | 'missing-address'; accountSid: string | null };

/** WhatsApp sends one; the bound is the schema's. */
const MEDIA_MAX = 20;

/** Parameters that are kept by their own names. A new one of Twilio's is added here; until then it is ignored. */
const DETAILS = (
  'WaId,ExternalUserId,MessageType,Forwarded,FrequentlyForwarded,ButtonType,ListId,ListTitle,InteractiveData,FlowData,ChannelMetadata,' +
  'Latitude,Longitude,Address,Label,ReferralBody,ReferralHeadline,ReferralSourceId,ReferralSourceType,ReferralSourceUrl,' +
  'ReferralMediaId,ReferralMediaContentType,ReferralMediaUrl,ReferralNumMedia,ReferralCtwaClid,OriginalRepliedMessageSender'
).split(',');

/**
 * Reads the webhook of one inbound message. Verify the signature first, over every parameter: this looks at the ones it knows and
 * ignores the rest, because Twilio adds parameters without notice.
 *
 * @param receivedAt when the webhook arrived; Twilio sends no time.
 * @returns the message, always valid by the domain's schema: texts are sanitised and cut, an empty text is null. `missing-sid` and
 *   `missing-address` also mean too long to be one. The caller compares `accountSid` with its own account.
 */
export function parseInbound(params: FormParams, receivedAt: Date): InboundParseResult {
  const accountSid = readWhole(params, 'AccountSid', 64);
  const messageSid = readWhole(params, 'MessageSid', 64) ?? readWhole(params, 'SmsMessageSid', 64) ?? readWhole(params, 'SmsSid', 64);
  if (messageSid === null) return { ok: false, reason: 'missing-sid', accountSid };
  const from = readWhole(params, 'From', 256);
  const to = readWhole(params, 'To', 256);
  if (from === null || to === null) return { ok: false, reason: 'missing-address', accountSid };
  const message: InboundMessage = {
    messageSid,
    from,
    to,
    messagingServiceSid: readWhole(params, 'MessagingServiceSid', 64),
    body: readText(params, 'Body', 4096),
    media: readMedia(params),
    buttonText: readText(params, 'ButtonText', 1024),
    buttonPayload: readText(params, 'ButtonPayload', 1024),
    repliedToSid: readWhole(params, 'OriginalRepliedMessageSid', 64),
    profileName: readText(params, 'ProfileName', 1024),
    optOutType: readText(params, 'OptOutType', 16),
    details: readDetails(params),
    receivedAt: receivedAt.toISOString(),
  };
  return { ok: true, message, accountSid };
}

/** MediaUrl0, MediaUrl1, … that are there: NumMedia is not trusted, it may disagree. */
function readMedia(params: FormParams): InboundMessage['media'] {
  const media: InboundMessage['media'] = [];
  for (let index = 0; index < MEDIA_MAX; index += 1) {
    const url = readWhole(params, `MediaUrl${index}`, 2048);
    if (url !== null) media.push({ url, contentType: readText(params, `MediaContentType${index}`, 128) });
  }
  return media;
}

function readDetails(params: FormParams): InboundMessage['details'] {
  const details: InboundMessage['details'] = {};
  for (const name of DETAILS) {
    // Whole or not at all: half of a JSON text is none.
    const value = readWhole(params, name, INBOUND_DETAIL_MAX);
    if (value !== null) details[name] = value;
  }
  return details;
}
