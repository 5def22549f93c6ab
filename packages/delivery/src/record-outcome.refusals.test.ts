import { decideOnRefusal, describeError, type PolicyAction, type RefusalDecision, type SendOutcome } from '@tickmark/domain';
import { randomSid, statusEvent } from '@tickmark/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyStatuses } from './apply-statuses.ts';
import { deliveryRoom, rejected, unknownOutcome, valuesOf } from './fixtures/delivery-room.ts';
import { recordOutcome } from './record-outcome.ts';

const RUNS = 100;

const room = deliveryRoom();

/** A few tries, one minute apart at first. */
const RETRY = {
  action: 'retry',
  floorMs: 10_000,
  baseMs: 60_000,
  capMs: 400_000,
  budget: 3,
  countsAsRefusal: true,
  opens: null,
} satisfies RefusalDecision;

describe('a refused call', () => {
  // Codes that stand for each thing that can become of it, labelled by hand.
  it.each<[code: number, status: string, refusals: number]>([
    [21211, 'failed', 0],
    [63016, 'failed', 0],
    [63042, 'failed', 0],
    [30410, 'failed', 0],
    [63999, 'failed', 0],
    [21611, 'retrying', 1],
    [63012, 'retrying', 1],
    [20003, 'retrying', 0],
    [63007, 'retrying', 0],
    [63041, 'retrying', 0],
    [63062, 'held', 0],
  ])('with %i becomes %s and uses up %i of its tries', async (code, status, refusals) => {
    const { id, token } = await claimed();
    expect(await record(id, token, rejected(code))).toMatchObject({ kind: 'recorded', status });
    expect(await room.row(id)).toMatchObject({ status, refusals, error_code: code, message_sid: null, outcome: 'rejected', attempts: 1 });
  });

  it.each<[PolicyAction, string]>([
    ['hold', 'held'],
    ['retry', 'retrying'],
    ['stop', 'failed'],
  ])('whose code an operator gave the policy "%s" becomes %s', async (policy, status) => {
    for (const code of [21211, 21611]) {
      const { id, token } = await claimed();
      await record(id, token, rejected(code), () => decideOnRefusal(code, policy));
      expect(await room.row(id)).toMatchObject({ status, error_code: code });
    }
  });

  it('is tried again after random times that double, up to the longest', async () => {
    for (const [refusals, spreadMs] of [
      [0, 60_000],
      [1, 120_000],
      [2, 240_000],
      [3, 400_000],
    ] as const) {
      const delays = await delaysAfter(refusals, 40);
      expect(Math.min(...delays)).toBeGreaterThanOrEqual(RETRY.floorMs);
      expect(Math.max(...delays)).toBeLessThanOrEqual(RETRY.floorMs + spreadMs + 1);
      // 40 draws that all fell into a half of the range would happen once in 10¹².
      expect(Math.max(...delays) - Math.min(...delays)).toBeGreaterThan(spreadMs / 4);
      expect(Math.max(...delays)).toBeGreaterThan(RETRY.floorMs + spreadMs / 2);
    }
  });

  it('fails with its code when its tries are used up', async () => {
    const { id } = await room.insert();
    const statuses = [];
    for (let attempt = 1; attempt <= RETRY.budget + 1; attempt += 1) {
      await room.db.sql`UPDATE whatsapp_messages SET due_at = now() WHERE id = ${id}`;
      const { token } = await room.claim(id);
      statuses.push(await record(id, token, rejected(63012), () => RETRY, attempt));
    }
    expect(statuses).toMatchObject([
      { status: 'retrying' },
      { status: 'retrying' },
      { status: 'retrying' },
      { status: 'failed', dueAt: null },
    ]);
    expect(await room.row(id)).toMatchObject({ status: 'failed', rank: 50, error_code: 63012, failed_at: expect.any(String), attempts: 4 });
    expect((await room.claim(id)).answer).toMatchObject({ kind: 'ended', status: 'failed' });
  });

  it('behind a breaker is tried again however often it was refused before', async () => {
    const { id, token } = await claimed();
    await room.db.sql`UPDATE whatsapp_messages SET refusals = 1000 WHERE id = ${id}`;
    await record(id, token, rejected(20003));
    expect(await room.row(id)).toMatchObject({ status: 'retrying', refusals: 1000 });
  });

  it('fails at once when its validity ends before the next try, and waits when it does not', async () => {
    for (const [validityPeriodSeconds, status] of [
      [9, 'failed'],
      [600, 'retrying'],
    ] as const) {
      const { id, token } = await claimed({ validityPeriodSeconds });
      await record(id, token, rejected(63012), () => RETRY);
      expect(await room.row(id)).toMatchObject({ status, error_code: 63012 });
    }
  });

  it('recorded twice is answered the same and counts once', async () => {
    const { id, token } = await claimed();
    const answer = await record(id, token, rejected(63012));
    const row = await room.row(id);
    expect(await record(id, token, rejected(63012))).toEqual(answer);
    expect(await room.row(id)).toEqual(row);
  });

  it('that is known late is carried out on the row that was judged unknown', async () => {
    for (const [code, status] of [
      [63012, 'retrying'],
      [63062, 'held'],
      [21211, 'failed'],
    ] as const) {
      const { id, token } = await claimed();
      await record(id, token, unknownOutcome());
      expect(await record(id, token, rejected(code))).toMatchObject({ kind: 'recorded', status });
    }
  });

  it.each([63012, 20003, 63062])('with %i changes nothing once a callback brought a sid', async (code) => {
    const { id, token } = await claimed();
    valuesOf(await applyStatuses(room.db, [statusEvent({ messageId: id, attempt: 1, messageSid: randomSid(), rawStatus: 'queued' })]));
    const before = await room.row(id);
    expect(await record(id, token, rejected(code))).toEqual({ kind: 'ignored' });
    expect(await room.row(id)).toEqual(before);
  });
});

describe('a permanent code', () => {
  // Everything but what Twilio's documentation lets one try again, and what it says is the fault of something else than the message.
  const isPermanent = (code: number) => {
    const { known, retry } = describeError(code);
    return !known || ['never', 'only-as-template', 'operator-decides', 'stop-template', 'not-applicable'].includes(retry);
  };
  const described = Array.from({ length: 90_000 }, (_, index) => 10_000 + index).filter((code) => describeError(code).known);
  const permanent = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...described.filter(isPermanent)) },
    { weight: 1, arbitrary: fc.integer({ min: 10_000, max: 999_999 }).filter(isPermanent) },
  );

  it(`never causes a second call: the row ends, and every later claim is told so (${RUNS} codes)`, async () => {
    await fc.assert(
      fc.asyncProperty(permanent, fc.boolean(), fc.nat({ max: 3 }), async (code, late, repetitions) => {
        const { id, token } = await claimed();
        if (late) await record(id, token, unknownOutcome());
        for (let times = 0; times <= repetitions; times += 1) {
          expect(await record(id, token, rejected(code))).toEqual({ kind: 'recorded', status: 'failed', dueAt: null });
        }
        await room.db.sql`UPDATE whatsapp_messages SET due_at = now() - interval '1 day' WHERE id = ${id}`;
        expect((await room.claim(id)).answer).toMatchObject({ kind: 'ended', status: 'failed' });
        expect(await room.row(id)).toMatchObject({ status: 'failed', error_code: code, attempts: 1 });
      }),
      { numRuns: RUNS },
    );
  });
});

async function claimed(overrides?: Parameters<typeof room.insert>[0]) {
  const { id } = await room.insert(overrides);
  const { token } = await room.claim(id);
  return { id, token };
}

async function record(id: string, token: string, outcome: SendOutcome, decide?: () => RefusalDecision, attempt = 1) {
  return valuesOf(await recordOutcome(room.db, [{ id, attempt, token, outcome }], decide))[0];
}

async function delaysAfter(refusals: number, count: number): Promise<number[]> {
  const claims = await Promise.all(Array.from({ length: count }, () => claimed()));
  const ids = claims.map(({ id }) => id);
  await room.db.sql`UPDATE whatsapp_messages SET refusals = ${refusals} WHERE id = ANY (${ids}::uuid[])`;
  const records = claims.map(({ id, token }) => ({ id, attempt: 1, token, outcome: rejected(63012) }));
  valuesOf(await recordOutcome(room.db, records, () => ({ ...RETRY, budget: 9 })));
  const rows = await room.db.sql<{ ms: number }[]>`
    SELECT extract(epoch FROM due_at - ended_at)::float8 * 1000 AS ms FROM whatsapp_messages WHERE id = ANY (${ids}::uuid[])`;
  return rows.map(({ ms }) => ms);
}
