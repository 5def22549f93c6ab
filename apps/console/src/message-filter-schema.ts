import type { MessageFilter } from '@tickmark/delivery';
import { MESSAGE_STATUSES, normalizeRecipient, storableText, type MessageStatus } from '@tickmark/domain';
import { z } from 'zod';
import { digits, recipientParam, repeatable, timeParam } from './query-params.ts';

const STATUSES = Object.keys(MESSAGE_STATUSES) as [MessageStatus, ...MessageStatus[]];

const SENDER = /^(?:[a-z0-9][a-z0-9-]{0,31}|MG[0-9a-fA-F]{32})$/;

/** An alias, a Messaging Service, or a number with or without `whatsapp:`. */
const senderParam = z.string().transform((text, context) => {
  const sender = SENDER.test(text) ? text : normalizeRecipient(text.replace(/^(whatsapp:)? /, '$1+'));
  if (sender !== null) return sender;
  context.addIssue({ code: 'custom', message: 'write the alias of a sender, its number (+<number>) or its Messaging Service (MG…)' });
  return z.NEVER;
});

const code = digits(z.number('a code is a number, such as 63016').min(1).max(999_999));

/** Which messages are meant, as parameters of a query. */
export const messageFilterParams = {
  to: repeatable(recipientParam).describe('recipient, with or without whatsapp:'),
  from: repeatable(senderParam).describe('alias or address of a sender'),
  status: repeatable(z.enum(STATUSES)).describe('status of the message'),
  errorCode: repeatable(code).describe('error code of Twilio'),
  producer: repeatable(storableText(64)).describe('name of the API key that sent it'),
  campaign: repeatable(storableText(128)).describe('name of the campaign'),
  since: timeParam.optional().describe('createdAt at this time or later'),
  until: timeParam.optional().describe('createdAt before this time'),
} satisfies Record<keyof MessageFilter, z.ZodType>;
