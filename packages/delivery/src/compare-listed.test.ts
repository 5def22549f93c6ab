import { randomUUID } from 'node:crypto';
import { randomSid, statusEvent } from '@tickmark/testing';
import { describe, expect, it } from 'vitest';
import { applyStatuses } from './apply-statuses.ts';
import { compareListed } from './compare-listed.ts';
import { deliveryRoom, throttled, valuesOf } from './fixtures/delivery-room.ts';
import { recordOutcome } from './record-outcome.ts';

const room = deliveryRoom();

const compare = async (messageSid: string, rawStatus: string, { errorCode = null as number | null, ageSeconds = 0 } = {}) => {
  const createdAt = new Date(Date.now() - ageSeconds * 1_000);
  const [comparison] = await compareListed(room.db, [{ messageSid, rawStatus, errorCode, createdAt }], { externalAfterSeconds: 3_600 });
  return comparison;
};

describe('a listed message', () => {
  it.each([
    ['sent', 'queued', null, 'current'],
    ['sent', 'sent', null, 'current'],
    ['sent', 'Delivered', null, 'further'],
    ['sent', 'a new word', null, 'current'],
    ['read', 'undelivered', 63024, 'current'],
    ['read', 'read', 30008, 'current'],
    ['failed', 'failed', 30008, 'further'],
  ])('whose row is %s and that Twilio calls %s %s is %s', async (known, listed, errorCode, comparison) => {
    const { sid } = await room.sendAccepted();
    valuesOf(await applyStatuses(room.db, [statusEvent({ messageSid: sid, rawStatus: known })]));
    expect(await compare(sid, listed, { errorCode })).toBe(comparison);
  });

  it('of an older attempt is compared with that attempt', async () => {
    const { id } = await room.insert();
    const { token } = await room.claim(id);
    valuesOf(await recordOutcome(room.db, [{ id, attempt: 1, token, outcome: throttled(0) }]));
    await room.claim(id, randomUUID());
    const sid = randomSid();
    valuesOf(await applyStatuses(room.db, [statusEvent({ messageId: id, attempt: 1, messageSid: sid, rawStatus: 'sent' })]));
    expect([await compare(sid, 'sent'), await compare(sid, 'delivered')]).toEqual(['current', 'further']);
  });

  it('that nobody here knows is somebody else’s only when it is older than an hour: our own record may be under way', async () => {
    expect(await compare(randomSid(), 'sent', { ageSeconds: 3_500 })).toBe('young');
    expect(await compare(randomSid(), 'sent', { ageSeconds: 3_700 })).toBe('external');
  });
});
