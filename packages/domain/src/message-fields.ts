import { z } from 'zod';
import { normalizeRecipient } from './recipients.ts';

/** Twilio's limit for Body, counted in code points. */
export const BODY_CODE_POINTS_MAX = 1600;

const METADATA_PAIRS_MAX = 20;
const METADATA_BYTES_MAX = 4096;
/** A template has at most this many variables. */
const CONTENT_VARIABLES_MAX = 100;
const NAME_CHARACTERS_MAX = 128;
const MEDIA_URL_CHARACTERS_MAX = 2048;
/** Twilio's bounds for ValidityPeriod. */
const VALIDITY_SECONDS_MAX = 36_000;

/** A string that is not empty and that every store takes. */
export function text(charactersMax: number): z.ZodString {
  return z
    .string(mustBe('a string'))
    .min(1, 'must not be empty')
    .max(charactersMax, `must be at most ${charactersMax} characters`)
    .refine(isStorable, 'must not contain NUL or lone surrogates');
}

/** The recipient in its stored form, `whatsapp:` included. */
export const recipientSchema = z
  .string(mustBe('a string'))
  .transform((to, context) => {
    const recipient = normalizeRecipient(to);
    if (recipient !== null) return recipient;
    context.addIssue({
      code: 'custom',
      params: { apiCode: 'INVALID_RECIPIENT' },
      message: 'must be +<E.164 number>, whatsapp:+<E.164 number> or whatsapp:<CC>.<business-scoped user id>',
    });
    return z.NEVER;
  })
  .meta({ description: '+E.164, whatsapp:+E.164 or whatsapp:CC.<business-scoped user id>' });

export const bodySchema = z
  .string(mustBe('a string'))
  .min(1, 'must not be empty')
  .refine((body) => body === '' || /\S/.test(body), 'must hold more than white space')
  .refine((body) => !hasMoreCodePoints(body, BODY_CODE_POINTS_MAX), {
    params: { apiCode: 'BODY_TOO_LONG' },
    error: `must be at most ${BODY_CODE_POINTS_MAX} characters: shorten it or send it as several messages`,
  })
  .refine(isStorable, 'must not contain NUL or lone surrogates')
  .meta({ maxLength: BODY_CODE_POINTS_MAX });

export const mediaUrlSchema = z
  .string(mustBe('a string'))
  .max(MEDIA_URL_CHARACTERS_MAX, `must be at most ${MEDIA_URL_CHARACTERS_MAX} characters`)
  .refine(isFetchableUrl, 'must be an http or https URL that Twilio can fetch, without spaces')
  .meta({ format: 'uri' });

/** Template variables. A JSON string is accepted, because Twilio's own API takes one. */
export const contentVariablesSchema = stringPairs({
  readInput: (value) => (typeof value === 'string' ? parseJsonOrKeep(value) : value),
  value: text(1024).refine(
    (value) => !/[\r\n\t]| {5}/.test(value),
    'must not contain a newline, a tab or five spaces in a row: WhatsApp refuses them in template variables',
  ),
  error: 'must be an object of strings, or a JSON string of one',
})
  .refine((pairs) => Object.keys(pairs).length <= CONTENT_VARIABLES_MAX, `must have at most ${CONTENT_VARIABLES_MAX} variables`)
  .meta({ description: 'Values for the placeholders of the template; also accepted as a JSON string of this object.' });

/** The producer's own notes: kept and given back, never interpreted. */
export const metadataSchema = stringPairs({
  readInput: (value) => value,
  value: z.string(mustBe('a string')).refine(isStorable, 'must not contain NUL or lone surrogates'),
  error: 'must be an object of strings',
})
  .refine((pairs) => Object.keys(pairs).length <= METADATA_PAIRS_MAX, `must have at most ${METADATA_PAIRS_MAX} pairs`)
  .refine((pairs) => Buffer.byteLength(JSON.stringify(pairs)) <= METADATA_BYTES_MAX, `must be at most ${METADATA_BYTES_MAX} bytes of JSON`);

/** A moment, in UTC from here on: two ways to write it are one request. How far ahead it may lie depends on now, which no schema knows. */
export const sendAtSchema = z
  .preprocess(
    // ISO 8601 lets a time end with its minutes; the schema behind does not.
    (value) => (typeof value === 'string' ? value.replace(/(T\d\d:\d\d)(?=Z|[+-])/, '$1:00') : value),
    z.iso.datetime({ offset: true, error: 'must be a date and time in ISO 8601 with its offset, such as YYYY-MM-DDT09:00:00+01:00' }),
  )
  .transform((moment) => new Date(moment).toISOString())
  .meta({ description: 'When to send; at most 35 days ahead, a time that has passed means now' });

/** Seconds from the later of acceptance and `sendAt` in which the message may still be sent. */
export const validityPeriodSchema = z
  .int(mustBe('a whole number of seconds'))
  .min(1, `must be from 1 to ${VALIDITY_SECONDS_MAX} seconds`)
  .max(VALIDITY_SECONDS_MAX, `must be from 1 to ${VALIDITY_SECONDS_MAX} seconds`)
  .meta({ description: 'Seconds after acceptance, or after sendAt, in which the message is worth sending' });

/**
 * An object of strings, however its names look: "__proto__", which zod's record drops without a word, is refused like every name
 * that a store would choke on.
 */
function stringPairs(options: { readInput: (input: unknown) => unknown; value: z.ZodType<string>; error: string }) {
  return z.preprocess(
    (input, context) => {
      const pairs = options.readInput(input);
      if (typeof pairs === 'object' && pairs !== null) {
        for (const name of Object.keys(pairs)) {
          if (!isUsableName(name)) {
            const message = `has an unusable name: 1 to ${NAME_CHARACTERS_MAX} characters, no NUL or lone surrogates, not __proto__`;
            context.addIssue({ code: 'custom', path: [name], message, input: name });
          }
        }
      }
      return pairs;
    },
    z.record(z.string(), options.value, options.error),
  );
}

function isUsableName(name: string): boolean {
  return name !== '__proto__' && name.length > 0 && name.length <= NAME_CHARACTERS_MAX && isStorable(name);
}

/** PostgreSQL's text and jsonb take neither NUL nor lone surrogates: accepted here, they would fail after our 202. */
function isStorable(value: string): boolean {
  return !value.includes('\0') && value.isWellFormed();
}

/** WHATWG parsing forgives spaces and control characters; Twilio's does not. */
function isFetchableUrl(value: string): boolean {
  if (!/^https?:\/\//i.test(value) || /[\s\p{Cc}\p{Cs}]/u.test(value)) return false;
  return URL.canParse(value);
}

function hasMoreCodePoints(value: string, max: number): boolean {
  // A code point has one or two code units, so that only the lengths between need counting.
  if (value.length <= max) return false;
  if (value.length > 2 * max) return true;
  return Array.from(value).length > max;
}

function parseJsonOrKeep(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    // Not JSON: the schema behind refuses the string itself with its own words.
    return value;
  }
}

function mustBe(what: string): { error: (issue: { input?: unknown }) => string } {
  return {
    error: ({ input }) => {
      if (input === undefined) return `is required and must be ${what}`;
      return input === null ? `must be ${what}: leave it out instead of giving null` : `must be ${what}`;
    },
  };
}
