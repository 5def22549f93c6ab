import { createHash } from 'node:crypto';
import { describeError } from '@tickmark/domain';
import type { SimulatedMessage } from './message-store.ts';
import { API_VERSION } from './resource.ts';

/** Statuses that Twilio marks with an EventType beside MessageStatus. */
const EVENT_TYPES: Readonly<Record<string, string>> = { read: 'READ', delivered: 'DELIVERED', undelivered: 'UNDELIVERED' };

/**
 * The parameters of one status callback. Their order differs by event, as Twilio's does, and some come only with some events: whoever
 * reads them must go by name.
 */
export function statusCallbackParams(
  message: Pick<SimulatedMessage, 'sid' | 'to' | 'from' | 'template' | 'messagingServiceSid'>,
  status: string,
  errorCode: number | null,
  accountSid: string,
): Record<string, string> {
  const params: Record<string, string> = {};
  const eventType = EVENT_TYPES[status];
  if (eventType !== undefined) params['EventType'] = eventType;
  params['SmsSid'] = message.sid;
  params['SmsStatus'] = status;
  params['MessageStatus'] = status;
  params['ChannelToAddress'] = maskAddress(message.to);
  params['To'] = message.to;
  params['ChannelPrefix'] = 'whatsapp';
  params['MessageSid'] = message.sid;
  params['AccountSid'] = accountSid;
  params['StructuredMessage'] = message.template ? 'true' : 'false';
  if (message.from !== null) {
    params['From'] = message.from;
    params['ChannelInstallSid'] = channelInstallSid(message.from);
  }
  params['ApiVersion'] = API_VERSION;
  if (message.messagingServiceSid !== null) params['MessagingServiceSid'] = message.messagingServiceSid;
  if (errorCode !== null) {
    params['ErrorCode'] = String(errorCode);
    params['ChannelStatusMessage'] = describeError(errorCode).meaning;
  }
  return params;
}

/** The XE sid of the installed channel: the same for one sender at all times. */
function channelInstallSid(address: string): string {
  const known = installSids.get(address);
  if (known !== undefined) return known;
  const sid = `XE${createHash('md5').update(address).digest('hex')}`;
  if (installSids.size < INSTALL_SIDS_MAX) installSids.set(address, sid);
  return sid;
}

/** A pure function's results, kept because it is asked at every callback; accounts have few senders. */
const installSids = new Map<string, string>();
const INSTALL_SIDS_MAX = 1_000;

/** `+1650380XXXX`: without the channel, its last four characters hidden. */
function maskAddress(address: string): string {
  return `${address.replace('whatsapp:', '').slice(0, -4)}XXXX`;
}
