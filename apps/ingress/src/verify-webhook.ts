import { AppError } from '@tickmark/domain';
import type { HttpRequest } from '@tickmark/http';
import type { Metrics } from '@tickmark/runtime';
import { hasTooManyParameters, parseForm, verifySignature, webhookUrl, type FormParams } from '@tickmark/twilio';

export interface WebhookVerification {
  /** The public URL under which this route's paths hang: with its prefix when a proxy removes it, without when the prefix arrives here. */
  baseUrl: string;
  /** Current and next token; read at each use, so that a rotation needs no restart. */
  authTokens: () => readonly string[];
  metrics: Pick<Metrics, 'callbackSignature' | 'callbacksReceived'>;
}

/**
 * The decoded form of a request that Twilio signed with one of our tokens.
 *
 * The signed URL is built from the configured base and the path and query exactly as they arrived, never from Host or X-Forwarded-*.
 *
 * @throws AppError INVALID_SIGNATURE, or PAYLOAD_TOO_LARGE when it has more parameters than are read
 */
export function verifyWebhook({ baseUrl, authTokens, metrics }: WebhookVerification, request: HttpRequest): FormParams {
  // Without a body and a content type no parser runs, and there is nothing to read.
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const params = parseForm(body);
  const header = request.headers['x-twilio-signature'];
  const signature = Array.isArray(header) ? undefined : header;
  const check = verifySignature({ tokens: authTokens(), url: webhookUrl(baseUrl, pathAndQuery(request.url)), params, signature });
  if (check.valid) {
    metrics.callbackSignature.inc({ result: check.tokenIndex === 0 ? 'valid' : 'valid_next_token' });
    return params;
  }
  if (hasTooManyParameters(body)) {
    metrics.callbacksReceived.inc({ result: 'too_large' });
    throw new AppError('PAYLOAD_TOO_LARGE', 'This form has more parameters than any webhook of Twilio: it was not read.');
  }
  metrics.callbackSignature.inc({ result: signature === undefined ? 'missing' : 'invalid' });
  metrics.callbacksReceived.inc({ result: 'invalid_signature' });
  throw new AppError(
    'INVALID_SIGNATURE',
    signature === undefined
      ? 'The header X-Twilio-Signature is missing: only Twilio calls this route.'
      : 'No token of ours signed this request. Check that PUBLIC_BASE_URL is the URL that Twilio calls, and TWILIO_AUTH_TOKEN.',
  );
}

/** @throws AppError WRONG_ACCOUNT for another account; a request that names none passes, because only our account has the token. */
export function refuseForeignAccount(expected: string, received: string | null, metrics: Pick<Metrics, 'callbacksReceived'>): void {
  if (received === null || received === expected) return;
  metrics.callbacksReceived.inc({ result: 'wrong_account' });
  throw new AppError(
    'WRONG_ACCOUNT',
    'This is for another account of Twilio than TWILIO_ACCOUNT_SID: correct that, or the webhook URL at Twilio.',
  );
}

/** A request line may hold a whole URL instead of a path; its scheme and host are the caller's word and are dropped. */
function pathAndQuery(url: string): string {
  return url.startsWith('/') ? url : url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '');
}
