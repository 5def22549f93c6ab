/** Every error code that our HTTP APIs answer, its status, and whether the same request may succeed later. */
export const API_ERRORS = {
  INVALID_JSON: { httpStatus: 400, retryable: false },
  VALIDATION_FAILED: { httpStatus: 400, retryable: false },
  INVALID_RECIPIENT: { httpStatus: 400, retryable: false },
  UNKNOWN_SENDER: { httpStatus: 400, retryable: false },
  BODY_TOO_LONG: { httpStatus: 400, retryable: false },
  UNAUTHENTICATED: { httpStatus: 401, retryable: false },
  FORBIDDEN_SCOPE: { httpStatus: 403, retryable: false },
  FORBIDDEN_SENDER: { httpStatus: 403, retryable: false },
  RECIPIENT_NOT_ALLOWED: { httpStatus: 403, retryable: false },
  INVALID_SIGNATURE: { httpStatus: 403, retryable: false },
  WRONG_ACCOUNT: { httpStatus: 403, retryable: false },
  NOT_FOUND: { httpStatus: 404, retryable: false },
  MESSAGE_NOT_FOUND: { httpStatus: 404, retryable: false },
  TASK_NOT_FOUND: { httpStatus: 404, retryable: false },
  METHOD_NOT_ALLOWED: { httpStatus: 405, retryable: false },
  REQUEST_TIMEOUT: { httpStatus: 408, retryable: true },
  MESSAGE_ALREADY_SENT: { httpStatus: 409, retryable: false },
  MESSAGE_FINAL: { httpStatus: 409, retryable: false },
  MESSAGE_NOT_RETRYABLE: { httpStatus: 409, retryable: false },
  MESSAGE_NOT_RESOLVABLE: { httpStatus: 409, retryable: false },
  PAYLOAD_TOO_LARGE: { httpStatus: 413, retryable: false },
  UNSUPPORTED_MEDIA_TYPE: { httpStatus: 415, retryable: false },
  IDEMPOTENCY_KEY_REUSED: { httpStatus: 422, retryable: false },
  RATE_LIMITED: { httpStatus: 429, retryable: true },
  INTERNAL: { httpStatus: 500, retryable: true },
  QUEUE_UNAVAILABLE: { httpStatus: 503, retryable: true },
  ACCEPTANCE_UNKNOWN: { httpStatus: 503, retryable: true },
  STORE_UNAVAILABLE: { httpStatus: 503, retryable: true },
  OVERLOADED: { httpStatus: 503, retryable: true },
} as const satisfies Record<string, { httpStatus: number; retryable: boolean }>;

export type ApiErrorCode = keyof typeof API_ERRORS;

/**
 * An expected refusal with a code of the registry. The message says what to do next and is shown to callers, so it holds no
 * phone, body or secret. Always give `cause` when another error led here.
 */
export class AppError extends Error {
  readonly code: ApiErrorCode;
  readonly details: unknown;
  /** Seconds for a Retry-After header. */
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ApiErrorCode, message: string, options: { cause?: unknown; details?: unknown; retryAfterSeconds?: number } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.details = options.details;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  get httpStatus(): number {
    return API_ERRORS[this.code].httpStatus;
  }

  get retryable(): boolean {
    return API_ERRORS[this.code].retryable;
  }
}
