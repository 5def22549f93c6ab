import { describe, expect, it } from 'vitest';
import { newMessageId } from './ids.ts';
import { statusEventSchema, type StatusEvent } from './status-event.ts';

const event: StatusEvent = {
  messageId: newMessageId(),
  attempt: 1,
  messageSid: 'SM00000000000000000000000000000001',
  rawStatus: 'delivered',
  errorCode: null,
  receivedAt: new Date(0).toISOString(),
  from: 'whatsapp:+15550100200',
  to: 'whatsapp:US.1234',
  messagingServiceSid: null,
  channelStatusMessage: null,
  source: 'callback',
};

describe('a status event', () => {
  it('passes with everything known, and with everything that may be unknown as null', () => {
    const unknown = {
      messageId: null,
      attempt: null,
      errorCode: null,
      from: null,
      to: null,
      messagingServiceSid: null,
      channelStatusMessage: null,
    };
    expect(statusEventSchema.parse(event)).toEqual(event);
    expect(statusEventSchema.parse({ ...event, ...unknown })).toEqual({ ...event, ...unknown });
  });

  it.each(['partially_delivered', 'teleported', 'x'.repeat(64)])('passes with the unknown word "%s": it is logged', (rawStatus) => {
    expect(statusEventSchema.safeParse({ ...event, rawStatus }).success).toBe(true);
  });

  it.each<[keyof StatusEvent, unknown]>([
    ['messageId', 'x'],
    ['attempt', 0],
    ['attempt', 1.5],
    ['messageSid', ''],
    ['messageSid', 'x'.repeat(65)],
    ['rawStatus', ''],
    ['rawStatus', 'x'.repeat(65)],
    ['errorCode', '63016'],
    ['errorCode', 1.5],
    ['receivedAt', '2030-01-01'],
    ['from', 'x'.repeat(257)],
    ['channelStatusMessage', 'x'.repeat(1025)],
    ['source', 'guess'],
  ])('is refused when %s is %j', (name, value) => {
    expect(statusEventSchema.safeParse({ ...event, [name]: value }).error?.issues[0]?.path[0]).toBe(name);
  });

  it.each(Object.keys(event))('is refused without %s: absent is null, never left out', (name) => {
    const { [name as keyof StatusEvent]: _left, ...rest } = event;
    expect(statusEventSchema.safeParse(rest).success).toBe(false);
  });
});
