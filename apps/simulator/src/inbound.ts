import { randomBytes, randomUUID } from 'node:crypto';
import { normalizeRecipient } from '@tickmark/domain';
import { z } from 'zod';
import type { CallbackSender } from './callback-sender.ts';
import type { Contacts } from './contacts.ts';
import { fateOf } from './fate.ts';
import type { MessageStore } from './message-store.ts';
import { API_VERSION } from './resource.ts';
import type { SenderDirectory } from './sender-directory.ts';

const address = z.string().transform((text) => (text.startsWith('+') ? `whatsapp:${text}` : text));

export const inboundSchema = z.strictObject({
  /** The person who writes. */
  from: address.refine((text) => normalizeRecipient(text) !== null, 'must be whatsapp:+<E.164 number> or whatsapp:<CC>.<user id>'),
  /** One of the account's senders, or a Messaging Service. */
  to: address.refine(
    (text) => /^(whatsapp:\+[1-9]\d{6,14}|MG[0-9a-fA-F]{32})$/.test(text),
    'must be whatsapp:+<E.164 number> or a Messaging Service sid',
  ),
  body: z.string().max(4096).optional(),
  media: z
    .union([z.url(), z.array(z.url()).max(10)])
    .transform((media) => (typeof media === 'string' ? [media] : media))
    .optional(),
  /** A quick reply: its text, or text and payload. */
  button: z
    .union([z.string().transform((text) => ({ text, payload: text })), z.strictObject({ text: z.string(), payload: z.string() })])
    .optional(),
  /** How often the webhook is sent: Twilio may repeat one. */
  times: z.number().int().min(1).max(100).default(1),
});
export type InboundRequest = z.output<typeof inboundSchema>;

export interface InboundDeps {
  accountSid: string;
  /** `PUBLIC_BASE_URL`. */
  publicBaseUrl: string;
  senders: SenderDirectory;
  contacts: Contacts;
  store: MessageStore;
  sender: Pick<CallbackSender, 'send'>;
  nowMs: () => number;
}

/**
 * A person writes to one of our senders: the window opens at once, a STOP or START takes effect, and the signed webhook is on its way
 * when this returns.
 *
 * @returns the sid of the inbound message; equal for all `times` repetitions.
 */
export function receiveInbound(request: InboundRequest, deps: InboundDeps): string {
  const service = request.to.startsWith('MG') ? request.to : null;
  const to = service === null ? request.to : deps.senders.addressFor(service, request.from);
  const body = request.body ?? request.button?.text ?? '';
  const now = deps.nowMs();
  const optOut = deps.contacts.recordInbound(to, request.from, body, now);
  if (service !== null) deps.contacts.recordInbound(service, request.from, body, now);
  const media = request.media ?? [];
  const sid = `${media.length > 0 ? 'MM' : 'SM'}${randomBytes(16).toString('hex')}`;
  deps.store.add({
    sid,
    to,
    from: request.from,
    messagingServiceSid: service,
    body,
    mediaCount: media.length,
    direction: 'inbound',
    status: 'received',
    errorCode: null,
    createdAt: now,
    updatedAt: now,
    sentAt: now,
    statusCallback: null,
    template: false,
    fate: fateOf(sid),
  });
  const params = {
    ...inboundParams({ ...request, to }, sid, body, deps.accountSid),
    ...(service === null ? {} : { MessagingServiceSid: service }),
    // Only services with Advanced Opt-Out say so.
    ...(service === null || optOut === null ? {} : { OptOutType: optOut }),
  };
  const webhook = { url: `${deps.publicBaseUrl}/webhooks/twilio/inbound`, params, token: randomUUID() };
  for (let time = 0; time < request.times; time++) void deps.sender.send(webhook);
  return sid;
}

function inboundParams(request: InboundRequest, sid: string, body: string, accountSid: string): Record<string, string> {
  const { from, to, media = [], button } = request;
  const isPhone = from.startsWith('whatsapp:+');
  return {
    SmsMessageSid: sid,
    NumMedia: String(media.length),
    ProfileName: 'Simulated Person',
    MessageType: button ? 'button' : media.length > 0 ? 'image' : 'text',
    SmsSid: sid,
    ...(isPhone ? { WaId: from.slice('whatsapp:+'.length) } : { ExternalUserId: from }),
    SmsStatus: 'received',
    Body: body,
    ...(button ? { ButtonText: button.text, ButtonPayload: button.payload } : {}),
    To: to,
    NumSegments: '1',
    ReferralNumMedia: '0',
    MessageSid: sid,
    AccountSid: accountSid,
    From: from,
    ...Object.fromEntries(
      media.flatMap((url, index) => [
        [`MediaUrl${index}`, url],
        [`MediaContentType${index}`, 'image/jpeg'],
      ]),
    ),
    ApiVersion: API_VERSION,
  };
}
