import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { newMessageId } from '@tickmark/domain';
import { buildStatusCallbackUrl, signRequest } from '@tickmark/twilio';
import { statusCallbackParams } from '../../../apps/simulator/src/callback-params.ts';
import { seededRandom } from '../../../tests/support/counts.ts';
import type { RequestFile } from '../../harness/load/protocol.ts';

export const PUBLIC_BASE_URL = 'https://hooks.bench.example';
export const ACCOUNT_SID = `AC${randomBytes(16).toString('hex')}`;
export const AUTH_TOKEN = randomBytes(16).toString('hex');
export const SENDER = 'whatsapp:+14155238886';

/** What Twilio says of a message that arrives. */
const STATUSES = ['sent', 'delivered', 'read'] as const;
/** How many messages lie between two statuses of one, give or take: statuses of different messages mix, and many overtake each other. */
const STATUS_DISTANCE = 2_000;
const JITTER = 3_000;
/** Twilio repeats what it believes unanswered. */
const REPEATED_SHARE = 0.05;
const SEED = 20_260_701;

export interface SentMessage {
  id: string;
  sid: string;
  recipient: string;
}

export interface Callback {
  sid: string;
  status: (typeof STATUSES)[number];
}

export interface CallbackPool {
  messages: SentMessage[];
  /** In the order in which they are sent. */
  callbacks: Callback[];
  file: RequestFile;
}

/** Callbacks of so many messages, each a whole HTTP request as Twilio sends it, signed beforehand: the load costs no hashing. */
export function makeCallbacks(count: number, folder: string): CallbackPool {
  const messages = Array.from({ length: count }, (_, index): SentMessage => ({
    id: newMessageId(),
    sid: `SM${randomBytes(16).toString('hex')}`,
    recipient: `whatsapp:+1555${String(1_000_000 + index)}`,
  }));
  const order = arrange(messages);
  const requests = order.map(({ message, status }) => toRequest(message, status));
  const file = { requests: `${folder}/requests.bin`, ends: `${folder}/requests.ends` };
  let end = 0;
  writeFileSync(
    file.ends,
    Uint32Array.from(requests, (request) => (end += request.length)),
  );
  writeFileSync(file.requests, Buffer.concat(requests));
  return { messages, callbacks: order.map(({ message, status }) => ({ sid: message.sid, status })), file };
}

function arrange(messages: readonly SentMessage[]): { message: SentMessage; status: Callback['status'] }[] {
  const random = seededRandom(SEED);
  return messages
    .flatMap((message, index) =>
      STATUSES.flatMap((status, stage) => {
        const at = index + stage * STATUS_DISTANCE + random.next() * JITTER;
        const first = { message, status, at };
        return random.next() < REPEATED_SHARE ? [first, { ...first, at: at + random.next() * JITTER }] : [first];
      }),
    )
    .toSorted((a, b) => a.at - b.at);
}

function toRequest({ id, sid, recipient }: SentMessage, status: string): Buffer {
  const url = buildStatusCallbackUrl({ publicBaseUrl: PUBLIC_BASE_URL, messageId: id, attempt: 1, overrides: '' });
  const message = { sid, to: recipient, from: SENDER, template: true, messagingServiceSid: null };
  const params = statusCallbackParams(message, status, null, ACCOUNT_SID);
  const body = new URLSearchParams(params).toString();
  const head = [
    `POST ${url.slice(PUBLIC_BASE_URL.length)} HTTP/1.1`,
    `Host: ${new URL(PUBLIC_BASE_URL).host}`,
    'User-Agent: TwilioProxy/1.1',
    'Accept: */*',
    `X-Twilio-Signature: ${signRequest({ token: AUTH_TOKEN, url, params })}`,
    'Content-Type: application/x-www-form-urlencoded; charset=UTF-8',
    `Content-Length: ${body.length}`,
  ];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`, 'latin1');
}
