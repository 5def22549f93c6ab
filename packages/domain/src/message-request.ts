import { z } from 'zod';
import { normalizeRecipient } from './recipients.ts';

export const PRIORITIES = ['transactional', 'bulk'] as const;
export type Priority = (typeof PRIORITIES)[number];
export const CATEGORIES = ['marketing', 'utility', 'authentication', 'service'] as const;

/** Twilio's limit for Body, counted in code points. */
export const BODY_CODE_POINTS_MAX = 1600;
const METADATA_PAIRS_MAX = 20;
const METADATA_BYTES_MAX = 4096;

const text = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((value) => !value.includes('\0') && value.isWellFormed(), 'must not contain NUL or lone surrogates');

const contentVariablesSchema = z.preprocess(
  (value) => (typeof value === 'string' ? parseJsonOrKeep(value) : value),
  z.record(
    z.string().min(1).max(64),
    text(1024).refine(
      (value) => !/[\r\n\t]| {5}/.test(value),
      'must not contain a newline, a tab or five spaces in a row: WhatsApp refuses them in template variables',
    ),
    'must be an object of strings, or a JSON string of one',
  ),
);

const metadataSchema = z
  .record(z.string().min(1).max(64), text(1024))
  .refine((pairs) => Object.keys(pairs).length <= METADATA_PAIRS_MAX, `must have at most ${METADATA_PAIRS_MAX} pairs`)
  .refine((pairs) => Buffer.byteLength(JSON.stringify(pairs)) <= METADATA_BYTES_MAX, `must be at most ${METADATA_BYTES_MAX} bytes of JSON`);

/** Sending later, expiring and choosing what an unknown outcome leads to are agreed but not built: refused, never ignored. */
const notAvailableYet = z.never({ error: 'not available yet: leave it out' }).optional();

/** One message as a producer asks for it (`POST /v1/messages`). `from` is an alias or address of a configured sender. */
export const messageRequestSchema = z
  .strictObject({
    to: z.string().transform((to, context) => {
      const recipient = normalizeRecipient(to);
      if (recipient !== null) return recipient;
      context.addIssue({
        code: 'custom',
        params: { apiCode: 'INVALID_RECIPIENT' },
        message: 'must be +<E.164 number>, whatsapp:+<E.164 number> or whatsapp:<CC>.<business-scoped user id>',
      });
      return z.NEVER;
    }),
    from: text(64).optional(),
    body: text(16_384)
      .refine((body) => [...body].length <= BODY_CODE_POINTS_MAX, {
        params: { apiCode: 'BODY_TOO_LONG' },
        error: `must be at most ${BODY_CODE_POINTS_MAX} characters: shorten it or send it as several messages`,
      })
      .optional(),
    contentSid: z
      .string()
      .regex(/^HX[0-9a-fA-F]{32}$/, 'must be HX followed by 32 hexadecimal digits')
      .optional(),
    contentVariables: contentVariablesSchema.optional(),
    mediaUrl: z
      .url({ protocol: /^https?$/, error: 'must be an http or https URL that Twilio can fetch' })
      .max(2048)
      .optional(),
    sendAt: notAvailableYet,
    validityPeriod: notAvailableYet,
    onUnknown: notAvailableYet,
    priority: z.enum(PRIORITIES).default('bulk'),
    category: z.enum(CATEGORIES).optional(),
    campaign: text(128).optional(),
    metadata: metadataSchema.optional(),
  })
  .superRefine((request, context) => {
    const template = request.contentSid !== undefined;
    const plain = request.body !== undefined || request.mediaUrl !== undefined;
    if (template === plain) {
      context.addIssue({ code: 'custom', path: [], message: 'give either contentSid (with contentVariables) or body and/or mediaUrl' });
    }
    if (request.contentVariables !== undefined && !template) {
      context.addIssue({ code: 'custom', path: ['contentVariables'], message: 'needs contentSid beside it' });
    }
  });

export type MessageRequest = z.output<typeof messageRequestSchema>;

export interface ValidationProblem {
  /** Property path joined by dots; empty for the message as a whole. */
  path: string;
  message: string;
}

export type RequestRefusal = 'VALIDATION_FAILED' | 'INVALID_RECIPIENT' | 'BODY_TOO_LONG';

export type MessageRequestResult =
  { ok: true; request: MessageRequest } | { ok: false; code: RequestRefusal; problems: ValidationProblem[] };

/**
 * Checks everything about a request that Twilio would reject and that needs no configuration to know.
 *
 * @returns the parsed request (recipient in its stored form, defaults filled in), or every problem found. The code is that of the
 *   first problem that has one of its own, else VALIDATION_FAILED.
 */
export function validateMessageRequest(input: unknown): MessageRequestResult {
  const parsed = messageRequestSchema.safeParse(input);
  if (parsed.success) return { ok: true, request: parsed.data };
  const { issues } = parsed.error;
  const own = issues.find((issue) => issue.code === 'custom' && issue.params?.['apiCode'] !== undefined);
  return {
    ok: false,
    code: ((own?.code === 'custom' ? own.params?.['apiCode'] : undefined) as RequestRefusal | undefined) ?? 'VALIDATION_FAILED',
    problems: issues.map((issue) => ({ path: issue.path.map(String).join('.'), message: issue.message })),
  };
}

function parseJsonOrKeep(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    // Not JSON: the schema behind refuses the string itself with its own words.
    return value;
  }
}
