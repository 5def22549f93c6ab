import { timingSafeEqual } from 'node:crypto';
// The deep import keeps the whole SDK (40 MB, 150 ms) out of the ingress.
import { getExpectedTwilioSignature, validateRequest } from 'twilio/lib/webhooks/webhooks.js';
import type { FormParams } from './form.ts';

/** `tokenIndex` says which token of the list signed: it tells when an old one is no longer needed. */
export type SignatureCheck = { valid: true; tokenIndex: number } | { valid: false };

/** What every HMAC-SHA1 looks like in base64; anything else is refused before any hashing. */
const SIGNATURE = /^[A-Za-z0-9+/]{27}=$/;

/**
 * Whether one of our tokens signed this request: Twilio's X-Twilio-Signature, HMAC-SHA1 over the URL and all parameters of the form
 * sorted by name (https://www.twilio.com/docs/usage/webhooks/webhooks-security).
 *
 * The list makes a rotation lossless: Twilio signs with the primary token only and changes over at once. The comparison takes the same
 * time wherever the difference is. Never throws, also not for a URL that is none.
 *
 * What is signed has no time and no delimiters: a request may be replayed, and a character may move between a name and its value. Both
 * are harmless only because callbacks are applied once and by rank.
 *
 * @param request.tokens empty ones are skipped: an empty key would let everybody sign.
 * @param request.url the public URL with the raw query, without fragment.
 * @param request.params every parameter received, unchanged.
 */
export function verifySignature(request: {
  tokens: readonly string[];
  url: string;
  params: FormParams;
  signature: string | undefined;
}): SignatureCheck {
  const { tokens, url, params, signature } = request;
  if (signature === undefined || !SIGNATURE.test(signature)) return { valid: false };
  const received = Buffer.from(signature);
  // The URL exactly as configured is the usual case and costs one HMAC per token; the SDK's other spellings (with and without the
  // default port, re-encoded query) cost six and are tried only then.
  for (const signs of [signsExactly, signsAnotherSpelling]) {
    for (const [tokenIndex, token] of tokens.entries()) {
      if (token !== '' && signs(token, received, url, params)) return { valid: true, tokenIndex };
    }
  }
  return { valid: false };
}

/** The signature that Twilio would send: for the simulator and for tests. A fragment and a `user:password@` are not signed. */
export function signRequest(request: { token: string; url: string; params: FormParams }): string {
  const url = request.url.replace(/#.*$/s, '').replace(/^([a-z]+:\/\/)[^/?#@]*@/i, '$1');
  return getExpectedTwilioSignature(request.token, url, request.params);
}

function signsExactly(token: string, received: Buffer, url: string, params: FormParams): boolean {
  return timingSafeEqual(received, Buffer.from(getExpectedTwilioSignature(token, url, params)));
}

function signsAnotherSpelling(token: string, received: Buffer, url: string, params: FormParams): boolean {
  try {
    return validateRequest(token, received.toString(), url, params);
  } catch {
    // The SDK parses the URL at this point and throws for one that is none, which nobody can have signed.
    return false;
  }
}
