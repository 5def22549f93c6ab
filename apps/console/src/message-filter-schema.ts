import type { MessageFilter } from '@tickmark/delivery';
import { normalizeRecipient, STATUS_NAMES, storableText } from '@tickmark/domain';
import { z } from 'zod';
import { codeParam, recipientParam, repeatable, timeParam } from './query-params.ts';

const SENDER = /^(?:[a-z0-9][a-z0-9-]{0,31}|MG[0-9a-fA-F]{32})$/;

/** An alias, a Messaging Service, or a number with or without `whatsapp:`. */
const senderParam = z.string().transform((text, context) => {
  const sender = SENDER.test(text) ? text : normalizeRecipient(text.replace(/^(whatsapp:)? /, '$1+'));
  if (sender !== null) return sender;
  context.addIssue({ code: 'custom', message: 'write the alias of a sender, its number (+<number>) or its Messaging Service (MG…)' });
  return z.NEVER;
});

/** Which messages are meant, as parameters of a query. */
export const messageFilterParams = {
  to: repeatable(recipientParam).describe('recipient, with or without whatsapp:'),
  from: repeatable(senderParam).describe('alias or address of a sender'),
  status: repeatable(z.enum(STATUS_NAMES)).describe('status of the message'),
  errorCode: repeatable(codeParam).describe('error code of Twilio'),
  producer: repeatable(storableText(64)).describe('name of the API key that sent it'),
  campaign: repeatable(storableText(128)).describe('name of the campaign'),
  since: timeParam.optional().describe('createdAt at this time or later'),
  until: timeParam.optional().describe('createdAt before this time'),
} satisfies Record<keyof MessageFilter, z.ZodType>;
