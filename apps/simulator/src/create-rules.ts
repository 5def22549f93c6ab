import { BODY_CODE_POINTS_MAX, normalizeRecipient } from '@tickmark/domain';
import type { FormParams } from '@tickmark/twilio';
import type { CallbackTargets } from './callback-targets.ts';
import type { SenderDirectory } from './sender-directory.ts';
import { refusalOf, type TwilioRefusal } from './twilio-errors.ts';

/** A create request that Twilio would take. */
export interface CreateParams {
  to: string;
  /** Null when a Messaging Service is to choose. */
  from: string | null;
  messagingServiceSid: string | null;
  body: string | null;
  contentSid: string | null;
  contentVariables: string | null;
  mediaCount: number;
  statusCallback: string | null;
  validityPeriodSeconds: number | null;
  /** Milliseconds since 1970; null = now. */
  sendAt: number | null;
}

export type CreateRules = { ok: true; params: CreateParams } | { ok: false; refusal: TwilioRefusal };

export interface CreateRulesDeps {
  senders: SenderDirectory;
  targets: CallbackTargets;
}

const SERVICE_SID = /^MG[0-9a-fA-F]{32}$/;
const CONTENT_SID = /^HX[0-9a-fA-F]{32}$/;
const PHONE = /^\+[1-9]\d{6,14}$/;
const MEDIA_MAX = 10;
const VALIDITY_SECONDS_MAX = 36_000;
const SCHEDULE_SECONDS_MIN = 900;
const SCHEDULE_SECONDS_MAX = 35 * 86_400;

/** Checks a create request by Twilio's documented rules, in the order in which a developer meets them. An empty parameter is an absent one. */
export function checkCreate(form: FormParams, deps: CreateRulesDeps, nowMs: number): CreateRules {
  const to = textOf(form, 'To');
  if (to === null) return refuse(21604);
  const sender = readSender(form);
  if (sender === null) return refuse(21603);
  const code = codeOfAddresses(to, sender, deps.senders) ?? codeOfContent(form) ?? codeOfOptions(form, sender, nowMs);
  if (code !== null) return refuse(code, code === 21211 ? `The 'To' number ${to} is not a valid phone number.` : undefined);
  const statusCallback = textOf(form, 'StatusCallback');
  const badTarget = statusCallback === null ? null : deps.targets.refusalOf(statusCallback);
  if (badTarget !== null) return refuse(21609, badTarget);
  const validity = textOf(form, 'ValidityPeriod');
  const sendAt = textOf(form, 'ScheduleType') === null ? null : textOf(form, 'SendAt');
  return {
    ok: true,
    params: {
      to,
      ...sender,
      body: textOf(form, 'Body'),
      contentSid: textOf(form, 'ContentSid'),
      contentVariables: textOf(form, 'ContentVariables'),
      mediaCount: mediaUrls(form).length,
      statusCallback,
      validityPeriodSeconds: validity === null ? null : Number(validity),
      sendAt: sendAt === null ? null : Date.parse(sendAt),
    },
  };
}

/** The first value of a parameter; null when it is absent or empty. */
export function textOf(form: FormParams, name: string): string | null {
  const value = form[name];
  const first = typeof value === 'string' ? value : value?.[0];
  return first === undefined || first === '' ? null : first;
}

interface SenderChoice {
  from: string | null;
  messagingServiceSid: string | null;
}

/** A Messaging Service may be named by From, too. */
function readSender(form: FormParams): SenderChoice | null {
  const from = textOf(form, 'From');
  const service = textOf(form, 'MessagingServiceSid');
  if (from === null && service === null) return null;
  return from !== null && service === null && SERVICE_SID.test(from)
    ? { from: null, messagingServiceSid: from }
    : { from, messagingServiceSid: service };
}

function codeOfAddresses(to: string, { from, messagingServiceSid }: SenderChoice, senders: SenderDirectory): number | null {
  const toWhatsapp = to.startsWith('whatsapp:');
  if (toWhatsapp ? normalizeRecipient(to) === null : !PHONE.test(to)) return 21211;
  if (messagingServiceSid !== null) {
    if (!SERVICE_SID.test(messagingServiceSid)) return 21705;
    if (!senders.knows(messagingServiceSid)) return 21701;
    if (!toWhatsapp) return 21703;
  }
  if (from === null) return null;
  if (from.startsWith('whatsapp:') !== toWhatsapp) return 21910;
  if (!toWhatsapp) return 21212;
  if (!PHONE.test(from.slice('whatsapp:'.length))) return 21212;
  if (from === to) return 63031;
  return senders.knows(from) ? null : 63007;
}

function codeOfContent(form: FormParams): number | null {
  const body = textOf(form, 'Body');
  const contentSid = textOf(form, 'ContentSid');
  const variables = textOf(form, 'ContentVariables');
  const media = mediaUrls(form);
  if (variables !== null && body !== null) return 35127;
  if (variables !== null && contentSid === null) return 21654;
  if (contentSid !== null && !CONTENT_SID.test(contentSid)) return 21655;
  if (variables !== null && !isVariables(variables)) return 21656;
  if (body === null && contentSid === null && media.length === 0) return 21619;
  if (body !== null && Array.from(body).length > BODY_CODE_POINTS_MAX) return 21617;
  if (media.length > MEDIA_MAX) return 21623;
  return media.every(isMediaUrl) ? null : 21620;
}

function codeOfOptions(form: FormParams, sender: SenderChoice, nowMs: number): number | null {
  const validity = textOf(form, 'ValidityPeriod');
  if (validity !== null && !(/^\d+$/.test(validity) && Number(validity) >= 1 && Number(validity) <= VALIDITY_SECONDS_MAX)) return 21624;
  const scheduleType = textOf(form, 'ScheduleType');
  if (scheduleType === null) return null;
  if (scheduleType !== 'fixed') return 35126;
  if (sender.messagingServiceSid === null) return 35118;
  const sendAt = textOf(form, 'SendAt');
  if (sendAt === null) return 35111;
  const inSeconds = (Date.parse(sendAt) - nowMs) / 1000;
  return inSeconds >= SCHEDULE_SECONDS_MIN && inSeconds <= SCHEDULE_SECONDS_MAX ? null : 35114;
}

function isVariables(text: string): boolean {
  try {
    const parsed: unknown = JSON.parse(text);
    return (
      parsed !== null &&
      typeof parsed === 'object' &&
      !Array.isArray(parsed) &&
      Object.values(parsed).every((value) => typeof value === 'string')
    );
  } catch {
    // Not JSON at all.
    return false;
  }
}

function mediaUrls(form: FormParams): readonly string[] {
  const value = form['MediaUrl'] ?? [];
  return (typeof value === 'string' ? [value] : value).filter((url) => url !== '');
}

function isMediaUrl(text: string): boolean {
  return /^https?:\/\//i.test(text) && URL.canParse(text);
}

function refuse(code: number, detail?: string): CreateRules {
  return { ok: false, refusal: refusalOf(code, detail) };
}
