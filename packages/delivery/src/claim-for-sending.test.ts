import { randomUUID } from 'node:crypto';
import { acceptedMessage, randomSid } from '@tickmark/testing';
import { describe, expect, it } from 'vitest';
import { claimForSending } from './claim-for-sending.ts';
import { createDatabase } from './database.ts';
import { accepted, CLAIM_RULES, deliveryRoom, rejected, throttled, unknownOutcome, valuesOf } from './fixtures/delivery-room.ts';
import { insertAccepted } from './insert-accepted.ts';
import { markStaleSending } from './mark-stale-sending.ts';
import { recordOutcome } from './record-outcome.ts';
import { releaseClaim } from './release-claim.ts';

const room = deliveryRoom();

describe('a claim', () => {
  it('takes a waiting row, counts the attempt and answers everything that the call needs', async () => {
    const message = await room.insert({
      contentSid: 'HX1',
      body: null,
      contentVariables: { '1': 'Ann "x"\\' },
      campaign: 'spring',
      validityPeriodSeconds: 600,
    });
    const { token, answer } = await room.claim(message.id);
    expect(answer).toEqual({
      kind: 'claimed',
      sender: 'support',
      campaign: 'spring',
      claimedAt: expect.any(Date),
      request: {
        messageId: message.id,
        attempt: 1,
        senderAddress: message.senderAddress,
        recipient: message.recipient,
        body: null,
        contentSid: 'HX1',
        contentVariables: { '1': 'Ann "x"\\' },
        mediaUrl: null,
        priority: 'bulk',
        validityPeriodSeconds: expect.closeTo(598, -1),
      },
    });
    expect(await room.row(message.id)).toMatchObject({ status: 'sending', rank: 0, attempts: 1, claim_token: token, message_sid: null });
  });

  it('leaves the validity out for a message without one, and never tells fewer than five seconds', async () => {
    const endless = await room.insert();
    const ending = await room.insert({ validityPeriodSeconds: 2 });
    expect((await room.claim(endless.id)).answer).toMatchObject({ request: { validityPeriodSeconds: null } });
    expect((await room.claim(ending.id)).answer).toMatchObject({ request: { validityPeriodSeconds: 5 } });
  });

  it('repeated with the same token is granted again and changes nothing', async () => {
    const { id } = await room.insert();
    const { token, answer } = await room.claim(id);
    const before = await room.row(id);
    expect((await room.claim(id, token)).answer).toEqual(answer);
    expect(await room.row(id)).toEqual(before);
  });

  it('with another token is refused while the first one holds the row', async () => {
    const { id } = await room.insert();
    const { token } = await room.claim(id);
    expect((await room.claim(id)).answer).toEqual({ kind: 'not_mine' });
    expect(await room.row(id)).toMatchObject({ claim_token: token, attempts: 1 });
  });

  it('is granted to exactly one of two tokens for one row in one batch', async () => {
    const { id } = await room.insert();
    const [first, second] = [randomUUID(), randomUUID()];
    const answers = valuesOf(
      await claimForSending(
        room.db,
        [first, second].map((token) => ({ id, token })),
        CLAIM_RULES,
      ),
    );
    expect(answers.map((answer) => answer.kind)).toEqual(['claimed', 'not_mine']);
    expect(await room.row(id)).toMatchObject({ claim_token: first, attempts: 1 });
  });

  it('is granted to both of two callers with one token', async () => {
    const { id } = await room.insert();
    const claim = { id, token: randomUUID() };
    const answers = valuesOf(await claimForSending(room.db, [claim, claim], CLAIM_RULES));
    expect(answers.map((answer) => answer.kind)).toEqual(['claimed', 'claimed']);
    expect(await room.row(id)).toMatchObject({ attempts: 1 });
  });

  it('of a row that does not exist is not mine', async () => {
    expect((await room.claim(randomUUID())).answer).toEqual({ kind: 'not_mine' });
  });

  it('answers each caller of a mixed batch in order', async () => {
    const [waiting, later, sent] = [await room.insert(), await room.insert({ sendAt: inSeconds(60) }), await room.sendAccepted()];
    const ids = [sent.message.id, later.id, waiting.id];
    const answers = valuesOf(
      await claimForSending(
        room.db,
        ids.map((id) => ({ id, token: randomUUID() })),
        CLAIM_RULES,
      ),
    );
    expect(answers.map((answer) => answer.kind)).toEqual(['ended', 'not_due', 'claimed']);
  });
});

describe('a row that must not be sent now', () => {
  it('is not due before its time', async () => {
    const { id, sendAt } = await room.insert({ sendAt: inSeconds(3600) });
    expect((await room.claim(id)).answer).toEqual({ kind: 'not_due', dueAt: new Date(sendAt ?? '') });
    expect(await room.row(id)).toMatchObject({ status: 'scheduled', attempts: 0, claim_token: null });
  });

  it('expires with the claim when its validity is over, without an attempt', async () => {
    const { id } = await room.insert({ acceptedAt: inSeconds(-100), validityPeriodSeconds: 60 });
    expect((await room.claim(id)).answer).toEqual({ kind: 'ended', status: 'expired', byClaim: true, errorCode: null });
    expect(await room.row(id)).toMatchObject({ status: 'expired', rank: 50, attempts: 0 });
    expect((await room.claim(id)).answer).toMatchObject({ kind: 'ended', status: 'expired' });
  });

  it.each([
    ['has a sid', async () => (await room.sendAccepted()).message.id, 'queued'],
    ['has an unknown outcome', () => claimedThen((id, token) => record(id, token, unknownOutcome())), 'unknown'],
    ['was rejected', () => claimedThen((id, token) => record(id, token, rejected())), 'failed'],
  ])('is ended when it %s', async (_name, make, status) => {
    const id = await make();
    expect((await room.claim(id)).answer).toMatchObject({ kind: 'ended', status });
  });

  it('is never claimed again after a Messaging Service answered "accepted"', async () => {
    const { id } = await room.insert({ senderAddress: `MG${'a'.repeat(32)}` });
    const { token } = await room.claim(id);
    const outcome = { ...accepted(randomSid()), rawStatus: 'accepted' };
    await record(id, token, outcome);
    expect(await room.row(id)).toMatchObject({ status: 'queued', rank: 20 });
    expect((await room.claim(id)).answer).toMatchObject({ kind: 'ended', status: 'queued' });
  });

  it('is not granted to its own token once the claim was judged stale', async () => {
    const { id } = await room.insert();
    const { token } = await room.claim(id);
    await room.db.sql`UPDATE whatsapp_messages SET claimed_at = now() - interval '61 seconds' WHERE id = ${id}`;
    expect(await markStaleSending(room.db, { olderThanSeconds: 60 })).toHaveLength(1);
    expect((await room.claim(id, token)).answer).toMatchObject({ kind: 'ended', status: 'unknown' });
  });
});

describe('a second attempt', () => {
  it('archives the first one with all that is known of it', async () => {
    const { id } = await room.insert();
    const first = await room.claim(id);
    await record(id, first.token, throttled(0));
    const second = await room.claim(id);
    expect(second.answer).toMatchObject({ kind: 'claimed', request: { attempt: 2 } });
    expect(await room.attempts(id)).toEqual([
      expect.objectContaining({
        attempt: 1,
        claim_token: first.token,
        outcome: 'throttled',
        error_code: 20429,
        http_status: 429,
        request_id: 'RQ1',
        message_sid: null,
        status: null,
        claimed_at: expect.any(String),
        ended_at: expect.any(String),
      }),
    ]);
    expect(await room.row(id)).toMatchObject({ attempts: 2, outcome: null, http_status: null, request_id: null, error_code: null });
  });

  it('follows a released claim with a number of its own', async () => {
    const { id } = await room.insert();
    const first = await room.claim(id);
    valuesOf(await releaseClaim(room.db, [{ id, token: first.token }]));
    expect((await room.claim(id)).answer).toMatchObject({ request: { attempt: 2 } });
    expect(await room.attempts(id)).toEqual([expect.objectContaining({ attempt: 1, outcome: 'released' })]);
  });

  it('adds no row for the common message of one attempt', async () => {
    const { message } = await room.sendAccepted();
    expect(await room.attempts(message.id)).toEqual([]);
  });
});

describe('claims under concurrency', () => {
  it('grants each row exactly once to many connections that want all of them, in any order', async () => {
    const ids = valuesOf(
      await insertAccepted(
        room.db,
        Array.from({ length: 40 }, () => acceptedMessage()),
      ),
    ).map((row) => row.id);
    const pools = Array.from({ length: 4 }, () => createDatabase({ url: room.url, prepare: true, max: 5, applicationName: 'claimers' }));
    try {
      const batches = pools.flatMap((pool) =>
        [1, 2, 3, 4, 5].map((turn) => {
          const wanted = ids.map((id) => ({ id, token: randomUUID() }));
          return claimForSending(pool, turn % 2 ? wanted : wanted.toReversed(), CLAIM_RULES);
        }),
      );
      const answers = (await Promise.all(batches)).flatMap(valuesOf);
      const granted = answers.flatMap((answer) => (answer.kind === 'claimed' ? [answer.request.messageId] : []));
      expect(granted.toSorted()).toEqual(ids.toSorted());
      const [{ attempts }] = await room.db.sql<[{ attempts: number }]>`
        SELECT sum(attempts)::int AS attempts FROM whatsapp_messages WHERE id = ANY (${ids}::uuid[])`;
      expect(attempts).toBe(ids.length);
    } finally {
      await Promise.all(pools.map((pool) => pool.close()));
    }
  });
});

async function claimedThen(next: (id: string, token: string) => Promise<unknown>): Promise<string> {
  const { id } = await room.insert();
  const { token } = await room.claim(id);
  await next(id, token);
  return id;
}

async function record(id: string, token: string, outcome: ReturnType<typeof accepted>) {
  return valuesOf(await recordOutcome(room.db, [{ id, attempt: 1, token, outcome }]))[0];
}

function inSeconds(seconds: number): string {
  return new Date(Date.now() + seconds * 1000).toISOString();
}
