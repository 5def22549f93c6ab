import { describe, expect, it } from 'vitest';
import { API_ERRORS, AppError, type ApiErrorCode } from './api-errors.ts';

describe('the registry of API errors', () => {
  it.each(Object.entries(API_ERRORS))('%s is named in upper case and has a status for errors', (code, { httpStatus }) => {
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
    expect(httpStatus).toBeGreaterThanOrEqual(400);
    expect(httpStatus).toBeLessThanOrEqual(599);
  });

  it('calls an error retryable exactly where waiting helps: time-outs, limits and our own failures', () => {
    for (const [code, { httpStatus, retryable }] of Object.entries(API_ERRORS)) {
      expect([code, retryable]).toEqual([code, httpStatus === 408 || httpStatus === 429 || httpStatus >= 500]);
    }
  });

  it.each<[number, ApiErrorCode[]]>([
    [400, ['INVALID_JSON', 'VALIDATION_FAILED', 'INVALID_RECIPIENT', 'UNKNOWN_SENDER', 'BODY_TOO_LONG']],
    [401, ['UNAUTHENTICATED']],
    [403, ['FORBIDDEN_SCOPE', 'FORBIDDEN_SENDER', 'RECIPIENT_NOT_ALLOWED', 'INVALID_SIGNATURE', 'WRONG_ACCOUNT']],
    [404, ['MESSAGE_NOT_FOUND']],
    [409, ['MESSAGE_ALREADY_SENT', 'MESSAGE_FINAL']],
    [413, ['PAYLOAD_TOO_LARGE']],
    [415, ['UNSUPPORTED_MEDIA_TYPE']],
    [422, ['IDEMPOTENCY_KEY_REUSED']],
    [429, ['RATE_LIMITED']],
    [503, ['QUEUE_UNAVAILABLE', 'ACCEPTANCE_UNKNOWN']],
  ])('answers %i with the codes that callers were promised', (httpStatus, codes) => {
    expect(codes.map((code) => API_ERRORS[code].httpStatus)).toEqual(codes.map(() => httpStatus));
  });
});

describe('AppError', () => {
  it('carries its code, status, details, waiting time and cause', () => {
    const cause = new Error('connection lost');
    const error = new AppError('ACCEPTANCE_UNKNOWN', 'repeat it', { cause, details: { id: 'x' }, retryAfterSeconds: 2 });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: 'AppError',
      code: 'ACCEPTANCE_UNKNOWN',
      message: 'repeat it',
      details: { id: 'x' },
      retryAfterSeconds: 2,
    });
    expect(error.cause).toBe(cause);
    expect([error.httpStatus, error.retryable]).toEqual([503, true]);
  });

  it('has no cause where none was given', () => {
    const error = new AppError('UNAUTHENTICATED', 'send a key');
    expect(Object.hasOwn(error, 'cause')).toBe(false);
    expect(error).toMatchObject({ details: undefined, retryAfterSeconds: undefined, httpStatus: 401, retryable: false });
  });
});
