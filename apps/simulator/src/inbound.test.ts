import { parseInbound } from '@tickmark/twilio';
import { randomBody } from '@tickmark/testing';
import { describe, expect, test } from 'vitest';
import type { Webhook } from './callback-sender.ts';
import { createContacts } from './contacts.ts';
import { inboundSchema, receiveInbound } from './inbound.ts';
import { createMessageStore } from './message-store.ts';
import { createSenderDirectory } from './sender-directory.ts';

const OURS = 'whatsapp:+14155238886';
const SERVICE = `MG${'5'.repeat(32)}`;
const PERSON = 'whatsapp:DE.person1';

const setUp = () => {
  const sent: Webhook[] = [];
  const contacts = createContacts();
  const store = createMessageStore();
  const deps = {
    accountSid: `AC${'b'.repeat(32)}`,
    publicBaseUrl: 'http://127.0.0.1:3000',
    senders: createSenderDirectory([{ alias: 'support', address: OURS, mps: 80 }]),
    contacts,
    store,
    sender: {
      send: async (webhook: Webhook) => {
        sent.push(webhook);
        return { httpStatus: 200, tries: 1 };
      },
    },
    nowMs: () => 1000,
  };
  const receive = (request: object) => receiveInbound(inboundSchema.parse({ from: PERSON, to: OURS, ...request }), deps);
  return { sent, contacts, store, receive };
};

describe('receiveInbound', () => {
  test('a webhook that our own reader understands goes to the inbound path', () => {
    const { sent, receive } = setUp();
    const body = randomBody();
    const sid = receive({ body });
    expect(sent.map(({ url }) => url)).toEqual(['http://127.0.0.1:3000/webhooks/twilio/inbound']);
    expect(parseInbound(sent[0]?.params ?? {}, new Date())).toMatchObject({
      ok: true,
      message: { messageSid: sid, from: PERSON, to: OURS, body, media: [], buttonText: null, messagingServiceSid: null },
    });
  });

  test('a person with a number has a WaId, one without has an ExternalUserId', () => {
    const { sent, receive } = setUp();
    receive({ from: '+12025550100' });
    receive({});
    expect(sent.map(({ params }) => [params['WaId'], params['ExternalUserId']])).toEqual([
      ['12025550100', undefined],
      [undefined, PERSON],
    ]);
  });

  test('media and buttons are told as Twilio does', () => {
    const { sent, receive } = setUp();
    const sid = receive({ media: ['https://example.com/a.jpg', 'https://example.com/b.jpg'] });
    receive({ button: { text: 'Yes', payload: 'yes-1' } });
    receive({ button: 'No' });
    expect(sid).toMatch(/^MM/);
    const [withMedia, pressed, short] = sent.map(({ params }) => parseInbound(params, new Date()));
    expect(withMedia).toMatchObject({
      message: { body: null, media: [{ url: 'https://example.com/a.jpg' }, { url: 'https://example.com/b.jpg' }] },
    });
    expect(sent[0]?.params['NumMedia']).toBe('2');
    expect(pressed).toMatchObject({ message: { body: 'Yes', buttonText: 'Yes', buttonPayload: 'yes-1' } });
    expect(short).toMatchObject({ message: { body: 'No', buttonText: 'No', buttonPayload: 'No' } });
  });

  test('repetitions carry one sid and one token', () => {
    const { sent, receive } = setUp();
    receive({ body: 'hello', times: 3 });
    expect(sent).toHaveLength(3);
    expect(new Set(sent.map((webhook) => JSON.stringify(webhook))).size).toBe(1);
  });

  test('the window opens and a STOP takes effect, also for the service that was written to', () => {
    const { sent, contacts, receive } = setUp();
    receive({ to: SERVICE, body: 'stop' });
    expect(sent[0]?.params).toMatchObject({ To: OURS, MessagingServiceSid: SERVICE, OptOutType: 'STOP' });
    for (const ours of [OURS, SERVICE]) {
      expect(contacts.hasOpenWindow(ours, PERSON, 1000)).toBe(true);
      expect(contacts.hasOptedOut(ours, PERSON)).toBe(true);
    }
  });

  test('it is a message that Twilio can show', () => {
    const { store, receive } = setUp();
    expect(store.get(receive({ body: 'hello' }))).toMatchObject({
      direction: 'inbound',
      status: 'received',
      from: PERSON,
      to: OURS,
      sentAt: 1000,
    });
  });
});

describe('inboundSchema', () => {
  test.each([
    [{ to: OURS }],
    [{ from: PERSON }],
    [{ from: 'somebody', to: OURS }],
    [{ from: PERSON, to: 'support' }],
    [{ from: PERSON, to: OURS, times: 0 }],
    [{ from: PERSON, to: OURS, media: ['no url'] }],
    [{ from: PERSON, to: OURS, text: 'hello' }],
  ])('%o is refused', (input) => {
    expect(inboundSchema.safeParse(input).success).toBe(false);
  });
});
