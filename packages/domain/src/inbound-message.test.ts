import { describe, expect, it } from 'vitest';
import { inboundMessageSchema, type InboundMessage } from './inbound-message.ts';

const message: InboundMessage = {
  messageSid: 'SM00000000000000000000000000000001',
  from: 'whatsapp:+15550100201',
  to: 'whatsapp:+15550100200',
  messagingServiceSid: null,
  body: 'hello',
  media: [{ url: 'https://example.com/a', contentType: 'image/jpeg' }],
  buttonText: null,
  buttonPayload: null,
  repliedToSid: null,
  profileName: 'Ann',
  optOutType: null,
  details: { Latitude: '52.5' },
  receivedAt: new Date(0).toISOString(),
};

describe('an inbound message', () => {
  it('passes as received, from a number as from a business-scoped user id', () => {
    expect(inboundMessageSchema.parse(message)).toEqual(message);
    expect(inboundMessageSchema.safeParse({ ...message, from: 'whatsapp:US.1234', body: null, media: [] }).success).toBe(true);
  });

  it.each<[keyof InboundMessage, unknown]>([
    ['messageSid', ''],
    ['from', ''],
    ['to', null],
    ['body', 'x'.repeat(4097)],
    ['media', [{ url: 5, contentType: null }]],
    ['media', Array.from({ length: 21 }, () => message.media[0])],
    ['profileName', 5],
    ['details', { FlowData: 'x'.repeat(16_385) }],
    ['receivedAt', 'now'],
  ])('is refused when %s is %j', (name, value) => {
    expect(inboundMessageSchema.safeParse({ ...message, [name]: value }).error?.issues[0]?.path[0]).toBe(name);
  });

  it('has no details where the release before knew none', () => {
    const { details: _left, ...rest } = message;
    expect(inboundMessageSchema.parse(rest).details).toEqual({});
  });

  it.each(Object.keys(message).filter((name) => name !== 'details'))('is refused without %s: absent is null, never left out', (name) => {
    const { [name as keyof InboundMessage]: _left, ...rest } = message;
    expect(inboundMessageSchema.safeParse(rest).success).toBe(false);
  });
});
