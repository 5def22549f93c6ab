import { describe, expect, it } from 'vitest';
import { acceptedMessageSchema } from './accepted-message.ts';
import { hashJson, newMessageId } from './ids.ts';
import { prepareMessage, statusAtAcceptance, type MessageContext } from './prepare-message.ts';

const now = new Date('2030-01-01T12:00:00Z');
const context: MessageContext = {
  producer: 'shop',
  aliases: null,
  policy: {
    mode: 'simulator',
    senders: [{ alias: 'support', address: 'whatsapp:+15550100200', mps: 80 }],
    allowedRecipients: () => undefined,
  },
  now,
};
const asked = { to: '+15550100300', body: 'hello' };
const prepare = (input: object) => prepareMessage({ ...asked, ...input }, id, context);
const id = newMessageId();

describe('a prepared message', () => {
  it('is what the queue takes, with everything that was asked for', () => {
    const message = prepare({
      sendAt: '2030-01-01T14:00:00+01:00',
      validityPeriod: 60,
      onUnknown: 'resend',
      priority: 'transactional',
      category: 'utility',
      campaign: 'spring',
      metadata: { order: '17' },
      mediaUrl: 'https://example.com/a.png',
    });
    expect(message).toEqual({
      id,
      producer: 'shop',
      requestHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      sender: 'support',
      senderAddress: 'whatsapp:+15550100200',
      recipient: 'whatsapp:+15550100300',
      body: 'hello',
      contentSid: null,
      contentVariables: null,
      mediaUrl: 'https://example.com/a.png',
      priority: 'transactional',
      category: 'utility',
      campaign: 'spring',
      metadata: { order: '17' },
      onUnknown: 'resend',
      acceptedAt: now.toISOString(),
      sendAt: '2030-01-01T13:00:00.000Z',
      validityPeriodSeconds: 60,
    });
    expect(acceptedMessageSchema.parse(message)).toEqual(message);
  });

  it.each([
    ['2030-01-01T12:00:00.001Z', 'scheduled'],
    ['2030-01-01T12:00:00Z', 'accepted'],
    ['2029-12-31T23:59:59Z', 'accepted'],
    ['0000-01-01T00:00:00Z', 'accepted'],
  ])('for %s is %s: a time that has passed means now', (sendAt, status) => {
    const message = prepare({ sendAt });
    expect(statusAtAcceptance(message)).toBe(status);
    expect(message.sendAt).toBe(status === 'scheduled' ? sendAt : null);
  });

  it('has the same hash for the same request in other words, also after its time', () => {
    const first = prepare({ sendAt: '2030-01-01T14:00:00+01:00' });
    const later = { ...context, now: new Date('2030-01-02T00:00:00Z') };
    const same = prepareMessage({ body: 'hello', sendAt: '2030-01-01T13:00Z', to: 'whatsapp:+15550100300', onUnknown: 'hold' }, id, later);
    expect(same.requestHash).toBe(first.requestHash);
  });

  it.each([{ body: 'other' }, { sendAt: '2030-01-01T13:00:01Z' }, { validityPeriod: 61 }, { onUnknown: 'resend' }, { campaign: 'a' }])(
    'has another hash with %j',
    (change) => {
      expect(prepare(change).requestHash).not.toBe(prepare({}).requestHash);
    },
  );

  it('keeps the hash that a request had before it could say what an unknown outcome leads to', () => {
    expect(prepare({}).requestHash).toBe(hashJson({ to: 'whatsapp:+15550100300', body: 'hello', priority: 'bulk' }));
  });

  it.each([
    ['VALIDATION_FAILED', { priority: 'urgent' }, context, /priority: must be one of/],
    ['UNKNOWN_SENDER', { from: 'nobody' }, context, /support/],
    ['FORBIDDEN_SENDER', {}, { ...context, aliases: ['news'] }, /news/],
    ['INVALID_RECIPIENT', { to: '+15550100200' }, context, /cannot write to itself/],
    ['RECIPIENT_NOT_ALLOWED', {}, { ...context, policy: { ...context.policy, mode: 'sandbox' } }, /ALLOWED_RECIPIENTS/],
  ] as const)('is refused with %s for %j', (code, change, given, says) => {
    expect(() => prepareMessage({ ...asked, ...change }, id, given)).toThrow(
      expect.objectContaining({
        code,
        message: expect.stringMatching(says),
        details: code === 'FORBIDDEN_SENDER' ? undefined : expect.any(Array),
      }),
    );
  });
});
