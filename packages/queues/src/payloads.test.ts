import { acceptedMessage, inboundMessage, statusEvent } from '@tickmark/testing';
import { expect, test } from 'vitest';
import { sendOutcome } from './fixtures/send-outcome.ts';
import {
  cancelPayloadSchema,
  inboundMessagePayloadSchema,
  inboundPayloadSchema,
  intakePayloadSchema,
  maintenancePayloadSchema,
  messageStatusPayloadSchema,
  sendOutcomePayloadSchema,
  sendPayloadSchema,
  statusCallbackPayloadSchema,
} from './payloads.ts';

const NIL = '00000000-0000-0000-0000-000000000000';

const PAYLOADS = [
  ['intake', intakePayloadSchema, { v: 1, messages: [acceptedMessage({ metadata: { order: '7' } })] }],
  ['send', sendPayloadSchema, { v: 1, id: acceptedMessage().id }],
  ...(['accepted', 'throttled', 'rejected', 'unknown', 'released'] as const).map(
    (kind) => [`send-outcome (${kind})`, sendOutcomePayloadSchema, { v: 1, ...sendOutcome(kind) }] as const,
  ),
  ['status-callback', statusCallbackPayloadSchema, { v: 1, events: [statusEvent()] }],
  [
    'cancel',
    cancelPayloadSchema,
    { v: 1, id: NIL, producer: 'shop', replyTo: NIL, requestedAt: new Date(0).toISOString(), answerBy: new Date(1).toISOString() },
  ],
  ['maintenance', maintenancePayloadSchema, { v: 1, taskId: NIL }],
  ['inbound', inboundPayloadSchema, { v: 1, messages: [inboundMessage()] }],
  [
    'message-status',
    messageStatusPayloadSchema,
    {
      v: 1,
      events: [
        {
          id: NIL,
          producer: 'shop',
          status: 'sent',
          errorCode: null,
          messageSid: null,
          campaign: null,
          retryOf: null,
          at: new Date(0).toISOString(),
        },
      ],
    },
  ],
  ['inbound-message', inboundMessagePayloadSchema, { v: 1, message: inboundMessage(), optOut: 'stop' }],
] as const;

/** Records whose keys belong to the message, not to the payload's version. */
const FREE = new Set(['metadata', 'contentVariables', 'details']);

/** Every copy of the payload that has one more field in one of its objects. */
function withOneMoreField(value: unknown): unknown[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => withOneMoreField(item).map((copy) => value.with(index, copy)));
  if (typeof value !== 'object' || value === null) return [];
  const deeper = Object.entries(value).flatMap(([key, inner]) =>
    FREE.has(key) ? [] : withOneMoreField(inner).map((copy) => ({ ...value, [key]: copy })),
  );
  return [{ ...value, newerField: 1 }, ...deeper];
}

test.each(PAYLOADS)('the payload of %s passes through JSON and the schema unchanged', (_queue, schema, payload) => {
  expect(schema.parse(JSON.parse(JSON.stringify(payload)))).toEqual(payload);
});

test('inbound messages of a release that knew no details are understood, and have none', () => {
  const { details, ...before } = inboundMessage();
  expect(details).toBeDefined();
  expect(inboundPayloadSchema.parse({ v: 1, messages: [before] })).toEqual({ v: 1, messages: [{ ...before, details: {} }] });
  expect(inboundMessagePayloadSchema.parse({ v: 1, message: before, optOut: null }).message.details).toEqual({});
});

test.each(PAYLOADS)('a payload of %s of another version is not understood', (_queue, schema, payload) => {
  expect(schema.safeParse({ ...payload, v: 2 }).success).toBe(false);
  const { v, ...versionless } = payload;
  expect(v).toBe(1);
  expect(schema.safeParse(versionless).success).toBe(false);
});

test.each(PAYLOADS)(
  'a payload of %s with a field that this release does not know, at any depth, is not understood',
  (_queue, schema, payload) => {
    const newer = withOneMoreField(payload);
    expect(newer.length).toBeGreaterThan(0);
    expect(newer.filter((copy) => schema.safeParse(copy).success)).toEqual([]);
  },
);
