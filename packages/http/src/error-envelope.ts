import { API_ERRORS, AppError, type ApiErrorCode } from '@tickmark/domain';
import { hasZodFastifySchemaValidationErrors, type ZodFastifySchemaValidationError } from 'fastify-type-provider-zod';
import { z } from 'zod';

/** What every error is answered with. */
export const errorEnvelopeSchema = z
  .object({
    error: z.object({
      code: z.enum(Object.keys(API_ERRORS) as ApiErrorCode[]),
      message: z.string().describe('Says what to do next.'),
      details: z.unknown().optional().describe('For VALIDATION_FAILED every problem as {path, message}.'),
      requestId: z.string().describe('The same id stands in our logs.'),
    }),
  })
  .describe('Refused, or failed.');

export type ErrorEnvelope = z.infer<typeof errorEnvelopeSchema>;

export function toEnvelope({ code, message, details }: AppError, requestId: string): ErrorEnvelope {
  return { error: { code, message, ...(details !== undefined && { details }), requestId } };
}

/**
 * The refusal that an error becomes. What nobody foresaw becomes INTERNAL, with none of its text: that may hold anything.
 */
export function toRefusal(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (hasZodFastifySchemaValidationErrors(error)) return toValidationRefusal(error.validation);
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  const known = REFUSALS_BY_CODE[String(code)] ?? REFUSALS_BY_STATUS[Number(statusCode)];
  if (known === 'VALIDATION_FAILED') return new AppError(known, NOT_READABLE, { cause: error });
  if (known !== undefined) return new AppError(known, MESSAGES[known], { cause: error });
  return new AppError('INTERNAL', MESSAGES.INTERNAL, { cause: error });
}

/** The refusal for what is wrong before there is a request: broken HTTP, or too slow. */
export function toConnectionRefusal(errorCode: string | undefined): { httpStatus: number; refusal: AppError } {
  const [httpStatus, code]: [number, keyof typeof MESSAGES] =
    errorCode === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? [408, 'REQUEST_TIMEOUT']
      : errorCode === 'HPE_HEADER_OVERFLOW'
        ? [431, 'PAYLOAD_TOO_LARGE']
        : [400, 'VALIDATION_FAILED'];
  const message = code === 'VALIDATION_FAILED' ? NOT_READABLE : MESSAGES[code];
  return { httpStatus, refusal: new AppError(code, message) };
}

/** Codes that Fastify documents as stable (https://fastify.dev/docs/latest/Reference/Errors/). */
const REFUSALS_BY_CODE: Record<string, keyof typeof MESSAGES> = {
  FST_ERR_CTP_INVALID_JSON_BODY: 'INVALID_JSON',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'INVALID_JSON',
  FST_ERR_CTP_BODY_TOO_LARGE: 'PAYLOAD_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'UNSUPPORTED_MEDIA_TYPE',
};

const REFUSALS_BY_STATUS: Record<number, keyof typeof MESSAGES> = {
  400: 'VALIDATION_FAILED',
  404: 'NOT_FOUND',
  408: 'REQUEST_TIMEOUT',
  413: 'PAYLOAD_TOO_LARGE',
  414: 'NOT_FOUND',
  415: 'UNSUPPORTED_MEDIA_TYPE',
};

/** For what is wrong below the schema: URL, headers, length. */
const NOT_READABLE = 'This is no HTTP request that we can read. Check the URL, the headers and any proxy in between.';

/** Each says what to do next. */
export const MESSAGES = {
  INVALID_JSON: 'The body is not valid JSON. Correct it and send the request again.',
  VALIDATION_FAILED: 'The request does not fit its schema. Correct what details names and send it again.',
  INVALID_RECIPIENT: 'The recipient is no address that WhatsApp can have. Correct to and send the request again.',
  BODY_TOO_LONG: 'The text is too long for one message. Shorten it or send it as several messages.',
  NOT_FOUND: 'Nothing answers to this method and path. Compare them with the documentation.',
  REQUEST_TIMEOUT: 'The request did not arrive completely in time. Send it again.',
  PAYLOAD_TOO_LARGE: 'The request is larger than this route takes. Split it into smaller ones.',
  UNSUPPORTED_MEDIA_TYPE: 'This route does not read that Content-Type. Send JSON as application/json, webhooks as form.',
  OVERLOADED: 'More is under way than this process can answer. Send the request again after the time in Retry-After.',
  INTERNAL: 'Something failed on our side. Send the request again later; if it fails again, give the operators this requestId.',
} as const satisfies Partial<Record<ApiErrorCode, string>>;

/** The code is that of the first problem whose schema names one of its own (`params.apiCode`), else VALIDATION_FAILED. */
function toValidationRefusal(problems: readonly ZodFastifySchemaValidationError[]): AppError {
  const own = problems.map((problem) => (problem.params as { params?: { apiCode?: unknown } }).params?.apiCode).find(isMessageCode);
  const code = own ?? 'VALIDATION_FAILED';
  return new AppError(code, MESSAGES[code], {
    details: problems.map(({ instancePath, message }) => ({
      path: instancePath.slice(1).replaceAll('/', '.'),
      message: message ?? 'is not valid',
    })),
  });
}

function isMessageCode(code: unknown): code is keyof typeof MESSAGES & ApiErrorCode {
  return typeof code === 'string' && code in MESSAGES && code in API_ERRORS;
}
