import { randomUUID } from 'node:crypto';
import { acceptedMessage, inboundMessage, randomSid, statusEvent } from '@tickmark/testing';
import { describe, expect, it } from 'vitest';
import { applyStatuses } from './apply-statuses.ts';
import { claimForSending } from './claim-for-sending.ts';
import { accepted, CLAIM_RULES, deliveryRoom, rejected, valuesOf } from './fixtures/delivery-room.ts';
import { insertAccepted } from './insert-accepted.ts';
import { recordInbound } from './record-inbound.ts';
import { recordOutcome } from './record-outcome.ts';
import { settleBatch } from './settle-batch.ts';

const room = deliveryRoom();
const BATCH = 200;
const POISONED = 77;

/** Beyond the range of the column: no sanitising can mend it. */
const TOO_LARGE = 2 ** 40;

describe('one poisoned item in a batch of 200', () => {
  it('of statuses gets the error alone, the 199 others are applied', async () => {
    const events = Array.from({ length: BATCH }, (_, index) =>
      statusEvent({ messageSid: randomSid(), rawStatus: 'failed', errorCode: index === POISONED ? TOO_LARGE : 30008 }),
    );
    const settled = await applyStatuses(room.db, events);
    expect(indexesOfErrors(settled)).toEqual([POISONED]);
    expect(await room.logs(events.map((event) => event.messageSid))).toHaveLength(BATCH - 1);
  });

  it('of intake gets the error alone', async () => {
    const messages = Array.from({ length: BATCH }, (_, index) =>
      acceptedMessage(index === POISONED ? { requestHash: 'not hexadecimal' } : {}),
    );
    expect(indexesOfErrors(await insertAccepted(room.db, messages))).toEqual([POISONED]);
  });

  it('of claims gets the error alone', async () => {
    const messages = Array.from({ length: BATCH }, () => acceptedMessage());
    valuesOf(await insertAccepted(room.db, messages));
    const claims = messages.map(({ id }, index) => ({ id: index === POISONED ? 'no uuid' : id, token: randomUUID() }));
    const settled = await claimForSending(room.db, claims, CLAIM_RULES);
    expect(indexesOfErrors(settled)).toEqual([POISONED]);
    expect(settled.filter((result) => result.ok && result.value.kind === 'claimed')).toHaveLength(BATCH - 1);
  });

  it('of records gets the error alone', async () => {
    const messages = Array.from({ length: BATCH }, () => acceptedMessage());
    valuesOf(await insertAccepted(room.db, messages));
    const claims = messages.map(({ id }) => ({ id, token: randomUUID() }));
    valuesOf(await claimForSending(room.db, claims, CLAIM_RULES));
    const records = claims.map(({ id, token }, index) => ({
      id,
      token,
      attempt: 1,
      outcome: index === POISONED ? rejected(TOO_LARGE) : accepted(randomSid()),
    }));
    expect(indexesOfErrors(await recordOutcome(room.db, records))).toEqual([POISONED]);
  });

  it('of inbound messages gets the error alone', async () => {
    const messages = Array.from({ length: BATCH }, (_, index) =>
      inboundMessage(index === POISONED ? { receivedAt: 'yesterday or so' } : {}),
    );
    expect(indexesOfErrors(await recordInbound(room.db, messages))).toEqual([POISONED]);
  });
});

describe('text that Postgres cannot store', () => {
  const poison = 'a\0b\uD800c';

  it('is mended before the batch, wherever it stands', async () => {
    const message = acceptedMessage({
      body: poison,
      campaign: poison,
      producer: `shop${poison}`,
      contentVariables: { [poison]: poison },
      metadata: { [poison]: poison },
    });
    valuesOf(await insertAccepted(room.db, [message]));
    expect(await room.row(message.id)).toMatchObject({ body: 'ab\uFFFDc', campaign: 'ab\uFFFDc', metadata: { 'ab\uFFFDc': 'ab\uFFFDc' } });
    const event = statusEvent({ rawStatus: poison, from: poison, to: poison, channelStatusMessage: poison });
    expect(valuesOf(await applyStatuses(room.db, [event, event])).map(({ logged }) => logged)).toEqual([true, false]);
    const token = randomUUID();
    valuesOf(await claimForSending(room.db, [{ id: message.id, token }], CLAIM_RULES));
    const outcome = { ...rejected(), requestId: poison };
    expect(valuesOf(await recordOutcome(room.db, [{ id: message.id, attempt: 1, token, outcome }]))[0]).toMatchObject({ kind: 'recorded' });
  });

  it('keeps what only looks dangerous', async () => {
    const body = `"quoted" 'single' \\backslash\\ {brace} , NULL null \n\t ❤️ $1 ${'x'.repeat(1600)}`;
    const message = await room.insert({ body });
    expect((await room.row(message.id))?.['body']).toBe(body);
    expect((await room.claim(message.id)).answer).toMatchObject({ request: { body } });
  });
});

describe('a batch', () => {
  it('that is empty asks nothing of the database', async () => {
    expect(await settleBatch([], () => Promise.reject(new Error('asked')))).toEqual([]);
    expect(await applyStatuses(room.db, [])).toEqual([]);
  });

  it('that meets an outage throws as a whole, so that it can be given again', async () => {
    const outage = Object.assign(new Error(), { code: '57P01' });
    await expect(settleBatch([1, 2], () => Promise.reject(outage))).rejects.toBe(outage);
  });

  it('that meets a mistake of ours throws as a whole', async () => {
    const mistake = Object.assign(new Error(), { code: '42P01' });
    await expect(settleBatch([1, 2], () => Promise.reject(mistake))).rejects.toBe(mistake);
  });

  it('that lost a race is run again as it was', async () => {
    const seen: number[][] = [];
    const run = (items: readonly number[]) => {
      seen.push([...items]);
      return seen.length < 3 ? Promise.reject(Object.assign(new Error(), { code: '40P01' })) : Promise.resolve([...items]);
    };
    expect(await settleBatch([1, 2], run)).toEqual([
      { ok: true, value: 1 },
      { ok: true, value: 2 },
    ]);
    expect(seen).toEqual([
      [1, 2],
      [1, 2],
      [1, 2],
    ]);
  });

  it('that keeps losing races throws the last error', async () => {
    const deadlock = Object.assign(new Error(), { code: '40P01' });
    await expect(settleBatch([1], () => Promise.reject(deadlock))).rejects.toBe(deadlock);
  });
});

function indexesOfErrors(settled: readonly { ok: boolean }[]): number[] {
  return settled.flatMap((result, index) => (result.ok ? [] : [index]));
}
