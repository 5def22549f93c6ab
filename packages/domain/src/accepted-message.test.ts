import { describe, expect, it } from 'vitest';
import { acceptedMessageSchema, type AcceptedMessage } from './accepted-message.ts';
import { hashJson, messageIdFor, newMessageId } from './ids.ts';

const message: AcceptedMessage = {
  id: newMessageId(),
  producer: 'shop',
  requestHash: hashJson({ to: 'x' }),
  sender: 'support',
  senderAddress: 'whatsapp:+15550100200',
  recipient: 'whatsapp:US.1234',
  body: 'hello',
  contentSid: null,
  contentVariables: null,
  mediaUrl: null,
  priority: 'bulk',
  category: null,
  campaign: null,
  metadata: { a: '' },
  onUnknown: 'hold',
  acceptedAt: new Date(0).toISOString(),
  sendAt: null,
  validityPeriodSeconds: null,
};

describe('an accepted message', () => {
  it('passes with what the ingress makes, whether its id is fresh or derived', () => {
    const derived = { ...message, id: messageIdFor('shop', 'k') };
    expect(acceptedMessageSchema.parse(message)).toEqual(message);
    expect(acceptedMessageSchema.parse(derived)).toEqual(derived);
  });

  it.each<[keyof AcceptedMessage, unknown]>([
    ['id', 'x'],
    ['producer', ''],
    ['requestHash', 'abc'],
    ['sender', ''],
    ['recipient', null],
    ['body', 5],
    ['contentVariables', { a: 1 }],
    ['priority', 'urgent'],
    ['category', 'spam'],
    ['onUnknown', 'drop'],
    ['acceptedAt', '2030-01-01'],
    ['sendAt', 'now'],
    ['validityPeriodSeconds', 0],
    ['validityPeriodSeconds', 36_001],
  ])('is refused when %s is %j', (name, value) => {
    expect(acceptedMessageSchema.safeParse({ ...message, [name]: value }).error?.issues[0]?.path[0]).toBe(name);
  });

  it.each(Object.keys(message))('is refused without %s: absent is null, never left out', (name) => {
    const { [name as keyof AcceptedMessage]: _left, ...rest } = message;
    expect(acceptedMessageSchema.safeParse(rest).success).toBe(false);
  });
});
