import { randomUUID } from 'node:crypto';
import { parseForm, signRequest } from '@tickmark/twilio';
import { encodeForm, statusCallback } from '../../apps/ingress/src/fixtures/ingress-harness.ts';
import { rawRequest } from '../../apps/ingress/src/fixtures/send-raw.ts';
import { seededRandom, type SeededRandom } from './counts.ts';

export interface FuzzTarget {
  publicBaseUrl: string;
  accountSid: string;
  authToken: string;
  apiKey: string;
}

export interface FuzzInput {
  kind: keyof typeof KINDS;
  bytes: Buffer;
}

const FORM = 'application/x-www-form-urlencoded';

/** The same input for the same seed and index, but for the sids and ids in it. */
export function fuzzInput(target: FuzzTarget, seed: number, index: number): FuzzInput {
  const random = seededRandom(seed + index);
  const kinds = Object.keys(KINDS) as (keyof typeof KINDS)[];
  const kind = pick(random, kinds);
  return { kind, bytes: KINDS[kind](target, random) };
}

/** A callback as Twilio would send it. */
export function honestCallback(target: FuzzTarget): Buffer {
  return signed(target, encodeForm(statusCallback(target)));
}

const KINDS = {
  /** What an attacker on the way could do to a callback, its signature included. */
  'mutated callback': (target, random) => mutate(honestCallback(target), random),
  /** What Twilio would sign, however strange: this goes through to the queue. */
  'signed mutation': (target, random) => signed(target, mutate(Buffer.from(encodeForm(statusCallback(target))), random)),
  'signed noise': (target, random) => signed(target, noise(random, random.between(0, 4_096))),
  'random bytes': (_target, random) => noise(random, random.between(1, 4_096)),
  'random headers': (target, random) => rawRequest({ ...webhook(target), headers: { ...randomHeaders(random), 'content-length': '0' } }),
  'half a request': (target, random) => {
    const whole = honestCallback(target);
    return whole.subarray(0, random.between(0, whole.length - 1));
  },
  'strange request line': (_target, random) => rawRequest({ method: pick(random, METHODS), target: strangeTarget(random) }),
  message: (target, random) => message(target, '/v1/messages', MESSAGE, random),
  batch: (target, random) => message(target, '/v1/messages/batch', `{"messages":[${MESSAGE},${MESSAGE}]}`, random),
} satisfies Record<string, (target: FuzzTarget, random: SeededRandom) => Buffer>;

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD', 'TRACE', 'PATCH', 'CONNECT', 'PRI', 'PROPFIND', 'get'];
const TARGETS = [
  '/',
  '*',
  '/v1/messages/',
  '/webhooks/twilio/status?m=',
  '/docs',
  '/openapi.json',
  '/health/ready',
  '//',
  '/../',
  'http://x/',
];
const HEADER_NAMES = [
  'content-type',
  'content-encoding',
  'transfer-encoding',
  'expect',
  'upgrade',
  'connection',
  'host',
  'x-twilio-signature',
];
const HEADER_VALUES = ['chunked', 'gzip', '100-continue', 'h2c', 'upgrade', 'close', FORM, 'application/json', '', '-1', 'é', '\t'];
/** To nobody whom the process may write to. */
const MESSAGE = '{"to":"+15005550006","body":"x","metadata":{"a":"1"},"sendAt":"2026-01-01T00:00:00Z","idempotencyKey":"k"}';

function webhook({ publicBaseUrl, authToken }: FuzzTarget, body: Buffer | string = '') {
  const target = `/webhooks/twilio/status?m=${randomUUID()}&a=1`;
  const signature = signRequest({ token: authToken, url: publicBaseUrl + target, params: parseForm(body) });
  return { target, body, headers: { 'content-type': FORM, 'x-twilio-signature': signature } };
}

function signed(target: FuzzTarget, body: Buffer | string): Buffer {
  return rawRequest(webhook(target, body));
}

function message({ apiKey }: FuzzTarget, target: string, body: string, random: SeededRandom): Buffer {
  const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' };
  return rawRequest({ target, headers, body: mutate(Buffer.from(body), random) });
}

function randomHeaders(random: SeededRandom): Record<string, string[]> {
  const count = random.between(1, 12);
  return Object.fromEntries(
    Array.from({ length: count }, () => [
      random.next() < 0.5
        ? pick(random, HEADER_NAMES)
        : noise(random, random.between(1, 20)).toString(pick(random, ['hex', 'hex', 'latin1'])),
      Array.from({ length: random.between(1, 3) }, () =>
        random.next() < 0.7
          ? pick(random, HEADER_VALUES)
          : noise(random, random.between(0, 200)).toString(pick(random, ['base64', 'latin1'])),
      ),
    ]),
  );
}

function strangeTarget(random: SeededRandom): string {
  return pick(random, TARGETS) + noise(random, random.between(0, 60)).toString(pick(random, ['latin1', 'hex', 'base64']));
}

/** One to eight times: bytes changed, taken out, put in, or repeated. */
function mutate(original: Buffer, random: SeededRandom): Buffer {
  let bytes = original;
  for (let left = random.between(1, 8); left > 0; left -= 1) {
    const at = random.between(0, bytes.length);
    const length = random.between(0, 16);
    const [before, span, after] = [bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at + length)];
    const middle = pick(random, [
      () => noise(random, span.length),
      () => Buffer.alloc(0),
      () => Buffer.concat([noise(random, length), span]),
      () => Buffer.concat(Array(random.between(2, 50)).fill(span) as Buffer[]),
      () => Buffer.concat([Buffer.from(pick(random, ['%00', '\0', '&', '=', '%ED%A0%80', '%', '\r\n', '"', '{', '['])), span]),
    ])();
    bytes = Buffer.concat([before, middle, after]);
  }
  return bytes;
}

function noise(random: SeededRandom, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.between(0, 255)));
}

function pick<T>(random: SeededRandom, choices: readonly T[]): T {
  const [choice] = choices.slice(random.between(0, choices.length - 1));
  if (choice === undefined) throw new Error('there is nothing to choose from');
  return choice;
}
