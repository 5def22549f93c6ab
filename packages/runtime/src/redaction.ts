/** What stands in a log instead of a value that must not be there. */
const REDACTED = '[redacted]';

/** Properties whose values are personal or secret, at any depth, compared in lower case. */
const SENSITIVE_KEYS: ReadonlySet<string> = new Set([
  'to',
  'from',
  'phone',
  'recipient',
  'body',
  'contentvariables',
  'mediaurl',
  'profilename',
  'buttontext',
  'buttonpayload',
  'metadata',
  'form',
  'params',
  'parameters',
  'payload',
  'headers',
  'config',
  'authorization',
  'cookie',
  'token',
  'authtoken',
  'password',
  'secret',
  'apikey',
  'apikeysecret',
  'signature',
  'x-api-key',
  'x-twilio-signature',
]);

/** An address that WhatsApp knows, also percent-encoded as in a query string: a number with its plus, or a business-scoped user id. */
const ADDRESS = /(?:\+|%2B)[1-9]\d{6,14}|whatsapp(?::|%3A)[A-Z]{2}\.[A-Za-z0-9]+/gi;

/** The user and password of a URL. */
const CREDENTIALS = /:\/\/[^\s"'@/]+@/g;

/** Whether a line can hold any of these at all; most lines do not, and are written as they are. */
const SUSPECT = new RegExp(`"(?:${[...SENSITIVE_KEYS].join('|')})":|${ADDRESS.source}|${CREDENTIALS.source}`, 'i');

/**
 * Removes from one JSON log line what must not be in a log: the values of sensitive properties at any depth, and in all other text
 * phone numbers and the credentials of URLs. It is the last step before the line is written, so no logger, child or serializer can
 * bypass it.
 */
export function redactLine(line: string): string {
  if (!SUSPECT.test(line)) return line;
  try {
    return `${JSON.stringify(JSON.parse(line, redactProperty))}\n`;
  } catch {
    // A line that is no JSON can still be searched as text; losing it would hide what went wrong.
    return redactText(line);
  }
}

/** Text without phone numbers and without the credentials of URLs. */
export function redactText(text: string): string {
  return text.replace(ADDRESS, REDACTED).replace(CREDENTIALS, `://${REDACTED}@`);
}

function redactProperty(key: string, value: unknown): unknown {
  if (SENSITIVE_KEYS.has(key.toLowerCase())) return value === null ? null : REDACTED;
  return typeof value === 'string' ? redactText(value) : value;
}
