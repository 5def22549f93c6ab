import { z } from 'zod';
import {
  bodySchema,
  contentVariablesSchema,
  mediaUrlSchema,
  metadataSchema,
  recipientSchema,
  sendAtSchema,
  text,
  validityPeriodSchema,
} from './message-fields.ts';
import { describeIssues, type ValidationProblem } from './validation-problems.ts';

export const PRIORITIES = ['transactional', 'bulk'] as const;
export type Priority = (typeof PRIORITIES)[number];
export const CATEGORIES = ['marketing', 'utility', 'authentication', 'service'] as const;
/** What becomes of a message that Twilio may have created, or not: it waits for a person, or is sent again once its absence is proven. */
export const ON_UNKNOWN = ['hold', 'resend'] as const;

const SEND_AHEAD_DAYS_MAX = 35;

/** One message as a producer asks for it (`POST /v1/messages`). `from` is an alias or address of a configured sender. */
export const messageRequestSchema = z
  .strictObject(
    {
      to: recipientSchema,
      from: text(64).optional(),
      body: bodySchema.optional(),
      contentSid: z
        .string('must be a string')
        .regex(/^HX[0-9a-fA-F]{32}$/, 'must be HX followed by 32 hexadecimal digits')
        .optional(),
      contentVariables: contentVariablesSchema.optional(),
      mediaUrl: mediaUrlSchema.optional(),
      sendAt: sendAtSchema.optional(),
      validityPeriod: validityPeriodSchema.optional(),
      onUnknown: z.enum(ON_UNKNOWN, `must be one of ${ON_UNKNOWN.join(', ')}`).default('hold'),
      priority: z.enum(PRIORITIES, `must be one of ${PRIORITIES.join(', ')}`).default('bulk'),
      category: z.enum(CATEGORIES, `must be one of ${CATEGORIES.join(', ')}`).optional(),
      campaign: text(128).optional(),
      metadata: metadataSchema.optional(),
    },
    'must be an object',
  )
  .superRefine(refuseUnclearContent, {
    // Looks at presence alone, so it also runs beside other problems: a caller learns all of them at once.
    when: ({ value }) => typeof value === 'object' && value !== null && !Array.isArray(value),
  });

export type MessageRequest = z.output<typeof messageRequestSchema>;

/** One message as a producer writes it in TypeScript. Two properties are typed here, because what is read leniently has no type of its own. */
export type MessageInput = Omit<z.input<typeof messageRequestSchema>, 'contentVariables' | 'sendAt'> & {
  contentVariables?: Record<string, string> | string | undefined;
  /** ISO 8601 with offset. */
  sendAt?: string | undefined;
};

export type RequestRefusal = 'VALIDATION_FAILED' | 'INVALID_RECIPIENT' | 'BODY_TOO_LONG';

export type MessageRequestResult =
  { ok: true; request: MessageRequest } | { ok: false; code: RequestRefusal; problems: ValidationProblem[] };

/**
 * Checks everything about a request that Twilio or our stores would reject and that needs no configuration to know. Never throws,
 * whatever the value.
 *
 * @param now for how far ahead `sendAt` may lie
 * @returns the parsed request (recipient in its stored form, defaults filled in), or the problems found (50 at most, none of them
 *   repeats a value). The code is that of the first problem that has one of its own, else VALIDATION_FAILED.
 */
export function validateMessageRequest(input: unknown, now: Date): MessageRequestResult {
  const parsed = messageRequestSchema.safeParse(input);
  const tooFar = problemsOfSendAt(input, now);
  if (parsed.success && tooFar.length === 0) return { ok: true, request: parsed.data };
  const issues = parsed.error?.issues ?? [];
  return {
    ok: false,
    code: issues.map(ownCodeOf).find((code) => code !== undefined) ?? 'VALIDATION_FAILED',
    problems: [...describeIssues(issues), ...tooFar],
  };
}

/** Asked of the input itself, so that it is told beside other problems too. */
function problemsOfSendAt(input: unknown, now: Date): ValidationProblem[] {
  const given = typeof input === 'object' && input !== null && 'sendAt' in input ? input.sendAt : undefined;
  const sendAt = given === undefined ? undefined : sendAtSchema.safeParse(given).data;
  if (sendAt === undefined || Date.parse(sendAt) - now.getTime() <= SEND_AHEAD_DAYS_MAX * 86_400_000) return [];
  return [{ path: 'sendAt', message: `must be at most ${SEND_AHEAD_DAYS_MAX} days ahead` }];
}

function refuseUnclearContent(request: Record<string, unknown>, context: z.RefinementCtx): void {
  const template = request['contentSid'] !== undefined;
  const plain = request['body'] !== undefined || request['mediaUrl'] !== undefined;
  if (template === plain) {
    context.addIssue({ code: 'custom', path: [], message: 'give either contentSid (with contentVariables) or body and/or mediaUrl' });
  }
  if (request['contentVariables'] !== undefined && !template) {
    context.addIssue({ code: 'custom', path: ['contentVariables'], message: 'needs contentSid beside it' });
  }
}

function ownCodeOf(issue: z.core.$ZodIssue): RequestRefusal | undefined {
  const code: unknown = issue.code === 'custom' ? issue.params?.['apiCode'] : undefined;
  return code === 'INVALID_RECIPIENT' || code === 'BODY_TOO_LONG' ? code : undefined;
}
