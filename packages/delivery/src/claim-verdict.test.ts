import { randomInt, randomUUID } from 'node:crypto';
import type { AcceptedMessage } from '@tickmark/domain';
import { acceptedMessage, inboundMessage, randomPhone, statusEvent } from '@tickmark/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { claimForSending } from './claim-for-sending.ts';
import type { WindowGuard } from './claim-verdict.ts';
import { CLAIM_RULES, deliveryRoom, throttled, valuesOf } from './fixtures/delivery-room.ts';
import { applyStatuses } from './apply-statuses.ts';
import { recordInbound } from './record-inbound.ts';
import { recordOutcome } from './record-outcome.ts';
import { openStop } from './send-stops.ts';

const room = deliveryRoom();

const ENDED = { kind: 'ended', byClaim: true };
const HOUR_MS = 3_600_000;

afterEach(async () => {
  await room.db.sql`TRUNCATE send_stops, cancel_requests, suppressions`;
});

describe('a cancellation that came before its row could be found', () => {
  const request = (messageId: string, producer = 'shop') =>
    room.db.sql`INSERT INTO cancel_requests (message_id, producer) VALUES (${messageId}, ${producer})`;

  it('wins over the claim', async () => {
    const { id } = await room.insert();
    await request(id);
    expect((await room.claim(id)).answer).toEqual({ ...ENDED, status: 'canceled', errorCode: null });
    expect(await room.row(id)).toMatchObject({ status: 'canceled', rank: 50, attempts: 0, claim_token: null });
    expect((await room.claim(id)).answer).toEqual({ kind: 'ended', status: 'canceled', byClaim: false, errorCode: null });
  });

  it('wins at once, whatever the message waits for', async () => {
    const later = await room.insert({ sendAt: new Date(Date.now() + HOUR_MS).toISOString() });
    const stopped = await room.insert({ sender: 'shop' });
    await openStop(room.db, { scope: 'sender', target: 'shop', actor: 'ann', forMs: null });
    for (const { id } of [later, stopped]) {
      await request(id);
      expect((await room.claim(id)).answer).toMatchObject({ ...ENDED, status: 'canceled' });
    }
  });

  it('by another producer has no effect', async () => {
    const { id } = await room.insert();
    await request(id, 'someone else');
    expect((await room.claim(id)).answer).toMatchObject({ kind: 'claimed' });
  });

  it('has no effect on a message that is on its way', async () => {
    const { id } = await room.insert();
    const { token } = await room.claim(id);
    await request(id);
    expect((await room.claim(id, token)).answer).toMatchObject({ kind: 'claimed' });
  });
});

describe('a suppression', () => {
  const suppress = ({ senderAddress, recipient }: AcceptedMessage, category = 'all', suppressed = true) => room.db.sql`
    INSERT INTO suppressions (sender_address, recipient, category, suppressed, event_at, source)
    VALUES (${senderAddress}, ${recipient}, ${category}, ${suppressed}, now(), 'stop')`;

  it('ends the message without an attempt', async () => {
    const message = await room.insert();
    await suppress(message);
    expect((await room.claim(message.id)).answer).toEqual({ ...ENDED, status: 'suppressed', errorCode: null });
    expect(await room.row(message.id)).toMatchObject({ status: 'suppressed', rank: 50, attempts: 0, failed_at: null });
  });

  it.each<[AcceptedMessage['category'], of: string, suppressed: boolean]>([
    [null, 'marketing', true],
    ['marketing', 'marketing', true],
    ['utility', 'marketing', false],
    ['authentication', 'all', true],
    ['utility', 'utility', true],
    [null, 'utility', false],
  ])('of a message of category %s by one of %s: %s', async (category, of, suppressed) => {
    const message = await room.insert({ category });
    await suppress(message, of);
    expect((await room.claim(message.id)).answer.kind).toBe(suppressed ? 'ended' : 'claimed');
  });

  it('that was taken back, of another sender or of another person has no effect', async () => {
    const message = await room.insert();
    await suppress(message, 'all', false);
    await suppress({ ...message, senderAddress: `whatsapp:${randomPhone()}` });
    await suppress({ ...message, recipient: `whatsapp:${randomPhone()}` });
    expect((await room.claim(message.id)).answer.kind).toBe('claimed');
  });

  it('holds for a business-scoped user id', async () => {
    const message = await room.insert({ recipient: `whatsapp:US.${randomUUID().replaceAll('-', '')}` });
    await suppress(message);
    expect((await room.claim(message.id)).answer).toMatchObject({ status: 'suppressed' });
  });

  it('holds for both forms of a Mexican mobile number', async () => {
    const digits = String(randomInt(1_000_000_000, 9_999_999_999));
    const forms = [`whatsapp:+52${digits}`, `whatsapp:+521${digits}`] as const;
    for (const [to, known] of [forms, forms.toReversed() as [string, string]]) {
      const message = await room.insert({ recipient: to });
      await suppress({ ...message, recipient: known });
      expect((await room.claim(message.id)).answer).toMatchObject({ status: 'suppressed' });
    }
  });
});

describe('the customer-service window', () => {
  /** Somebody who wrote to this sender so long ago, and whether somebody else did a day before that. */
  const wrote = async (senderAddress: string, recipient: string, agoMs: number, extra: { service?: string } = {}) => {
    valuesOf(await recordInbound(room.db, [inbound(senderAddress, recipient, agoMs, extra.service)]));
  };
  const claimed = async (fields: Partial<AcceptedMessage>, windowGuard: WindowGuard) =>
    (await room.claim((await room.insert(fields)).id, randomUUID(), { windowGuard })).answer;
  const REFUSED = { ...ENDED, status: 'failed', errorCode: 63016 };
  const QUARTER_MS = HOUR_MS / 4;

  it.each<[string, agoMs: number | null, granted: boolean]>([
    ['never wrote', null, false],
    ['wrote a moment ago', 0, true],
    ['wrote 23 hours and 44 minutes ago', 24 * HOUR_MS - QUARTER_MS - 60_000, true],
    ['wrote 23 hours and 46 minutes ago', 24 * HOUR_MS - QUARTER_MS + 60_000, false],
  ])('enforced, of a person who %s', async (_name, agoMs, granted) => {
    const { senderAddress, recipient } = acceptedMessage();
    if (agoMs !== null) await wrote(senderAddress, recipient, agoMs);
    const answer = await claimed({ senderAddress, recipient }, 'enforce');
    expect(answer).toMatchObject(granted ? { kind: 'claimed' } : REFUSED);
  });

  it('fails a free text outside of it as Twilio would, without an attempt', async () => {
    const { id } = await room.insert();
    expect((await room.claim(id, randomUUID(), { windowGuard: 'enforce' })).answer).toEqual(REFUSED);
    expect(await room.row(id)).toMatchObject({
      status: 'failed',
      rank: 50,
      error_code: 63016,
      failed_at: expect.any(String),
      attempts: 0,
      message_sid: null,
    });
  });

  it('is of no concern to a template, and with the guard off to nobody', async () => {
    expect(await claimed({ contentSid: 'HX1', body: null }, 'enforce')).toMatchObject({ kind: 'claimed' });
    expect(await claimed({}, 'off')).toMatchObject({ kind: 'claimed' });
    expect(await claimed({ body: null, mediaUrl: 'https://example.com/a.png' }, 'enforce')).toMatchObject(REFUSED);
  });

  it('on auto is enforced for a sender once it has a day of inbound messages, and for no other', async () => {
    const { senderAddress } = acceptedMessage();
    const someone = `whatsapp:${randomPhone()}`;
    await wrote(senderAddress, someone, 23 * HOUR_MS);
    expect(await claimed({ senderAddress }, 'auto')).toMatchObject({ kind: 'claimed' });
    await wrote(senderAddress, someone, 25 * HOUR_MS);
    expect(await claimed({ senderAddress }, 'auto')).toMatchObject(REFUSED);
    expect(await claimed({}, 'auto')).toMatchObject({ kind: 'claimed' });
  });

  it('of a person who wrote to a number of a Messaging Service is open for the service too', async () => {
    const service = `MG${randomUUID().replaceAll('-', '')}`;
    const [number, recipient] = [`whatsapp:${randomPhone()}`, `whatsapp:${randomPhone()}`];
    await wrote(number, recipient, 0, { service });
    expect(await claimed({ senderAddress: service, recipient }, 'enforce')).toMatchObject({ kind: 'claimed' });
    expect(await claimed({ senderAddress: number, recipient }, 'enforce')).toMatchObject({ kind: 'claimed' });
    expect(await claimed({ senderAddress: service }, 'enforce')).toMatchObject(REFUSED);
  });

  it('is open under both forms of a Mexican mobile number', async () => {
    const digits = String(randomInt(1_000_000_000, 9_999_999_999));
    const { senderAddress } = acceptedMessage();
    await wrote(senderAddress, `whatsapp:+521${digits}`, 0);
    expect(await claimed({ senderAddress, recipient: `whatsapp:+52${digits}` }, 'enforce')).toMatchObject({ kind: 'claimed' });
  });
});

describe('what a guard found', () => {
  it('is told to each caller of a mixed batch, in order', async () => {
    const [canceled, outside, fine] = [await room.insert(), await room.insert(), await room.insert({ contentSid: 'HX1', body: null })];
    await room.db.sql`INSERT INTO cancel_requests (message_id, producer) VALUES (${canceled.id}, 'shop')`;
    const claims = [outside, fine, canceled].map(({ id }) => ({ id, token: randomUUID() }));
    const answers = valuesOf(await claimForSending(room.db, claims, { ...CLAIM_RULES, windowGuard: 'enforce' }));
    expect(answers).toMatchObject([{ status: 'failed' }, { kind: 'claimed' }, { status: 'canceled' }]);
  });

  it('holds for a later attempt as well', async () => {
    const { id } = await room.insert();
    const { token } = await room.claim(id);
    valuesOf(await recordOutcome(room.db, [{ id, attempt: 1, token, outcome: throttled(0) }]));
    expect((await room.claim(id, randomUUID(), { windowGuard: 'enforce' })).answer).toMatchObject({ status: 'failed' });
    expect(await room.row(id)).toMatchObject({ attempts: 1, error_code: 63016 });
  });
});

describe('evidence of an attempt whose row waits for the next one', () => {
  it.each(['queued', 'sent'])('"%s" averts the resend', async (rawStatus) => {
    const { id } = await room.insert();
    const { token } = await room.claim(id);
    valuesOf(await recordOutcome(room.db, [{ id, attempt: 1, token, outcome: throttled(0) }]));
    expect(await room.row(id)).toMatchObject({ status: 'retrying' });
    const event = statusEvent({ messageId: id, attempt: 1, rawStatus });
    valuesOf(await applyStatuses(room.db, [event]));
    expect(await room.row(id)).toMatchObject({ status: rawStatus, message_sid: event.messageSid, attempts: 1 });
    expect((await room.claim(id)).answer).toMatchObject({ kind: 'ended', status: rawStatus });
  });
});

function inbound(to: string, from: string, agoMs: number, service: string | undefined) {
  return inboundMessage({ from, to, messagingServiceSid: service ?? null, receivedAt: new Date(Date.now() - agoMs).toISOString() });
}
