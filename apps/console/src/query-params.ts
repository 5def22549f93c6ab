import { normalizeRecipient } from '@tickmark/domain';
import { z } from 'zod';

/** Values of one repeated parameter. */
const VALUES_MAX = 50;

/** What Postgres, JavaScript and ISO 8601 write alike, in any zone. */
const YEARS = { first: new Date('1970-01-01T00:00:00Z'), end: new Date('9999-01-01T00:00:00Z') };

/** A parameter that may be given several times: any of its values counts. */
export function repeatable<Item extends z.ZodType>(item: Item) {
  return z.preprocess(
    (value) => (value === undefined || Array.isArray(value) ? value : [value]),
    z.array(item).min(1).max(VALUES_MAX).optional(),
  );
}

/** A number in a URL, written in digits and nothing else. */
export function digits(range: z.ZodNumber) {
  return z.preprocess((value) => (typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value), range.int());
}

/** An error code of Twilio. */
export const codeParam = digits(z.number('a code is a number, such as 63016').min(1).max(999_999)).describe('error code of Twilio');

/** A recipient, in its stored form. A plus sign that was not percent-encoded arrives as a space. */
export const recipientParam = z
  .string()
  .transform((text, context) => {
    const recipient = normalizeRecipient(text.replace(/^(whatsapp:)? /, '$1+'));
    if (recipient !== null) return recipient;
    context.addIssue({ code: 'custom', message: 'write +<number>, whatsapp:+<number> or whatsapp:<CC>.<user id>' });
    return z.NEVER;
  })
  .meta({ examples: ['+14155550100'] });

/** A moment with its offset; as above, its plus sign may arrive as a space. */
export const timeParam = z.preprocess(
  (value) => (typeof value === 'string' ? value.replace(' ', '+') : value),
  z.iso
    .datetime({ offset: true, error: 'write a time with its offset, such as 2026-01-31T08:00:00Z' })
    .transform((text) => new Date(text))
    .refine((time) => time >= YEARS.first && time < YEARS.end, 'write a year from 1970 to 9998'),
);

/** A time within a cursor, as its text. */
export const cursorTime = z.iso.datetime().refine((text) => new Date(text) >= YEARS.first && new Date(text) < YEARS.end);

export const limitParam = digits(z.number('write a whole number').min(1).max(500)).default(50).describe('items at most');
