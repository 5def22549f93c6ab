import { randomPhone } from '@tickmark/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deliveryRoom, valuesOf } from './fixtures/delivery-room.ts';
import { recordSuppressions, type SuppressionEvent } from './record-suppressions.ts';

const room = deliveryRoom();
const SENDER = 'whatsapp:+14155238886';

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();

function said(recipient: string, suppressed: boolean, second: number, values: Partial<SuppressionEvent> = {}): SuppressionEvent {
  return { senderAddress: SENDER, recipient, category: 'all', suppressed, at: at(second), source: 'inbound', reason: null, ...values };
}

async function record(...events: SuppressionEvent[]): Promise<boolean[]> {
  return valuesOf(await recordSuppressions(room.db, events));
}

async function holds(recipient: string): Promise<string[]> {
  const rows = await room.db.sql<{ category: string; suppressed: boolean }[]>`
    SELECT category, suppressed FROM suppressions WHERE recipient = ${recipient} ORDER BY category`;
  return rows.map(({ category, suppressed }) => `${category} ${suppressed ? 'suppressed' : 'free'}`);
}

const person = () => `whatsapp:${randomPhone()}`;

describe('of several events', () => {
  it('the latest holds, also when it arrives first', async () => {
    const recipient = person();
    expect(await record(said(recipient, false, 20))).toEqual([true]);
    expect(await record(said(recipient, true, 10))).toEqual([false]);
    expect(await holds(recipient)).toEqual(['all free']);
    expect(await record(said(recipient, true, 30), said(recipient, false, 25))).toEqual([true, false]);
    expect(await holds(recipient)).toEqual(['all suppressed']);
  });

  it('at the same time the suppression holds', async () => {
    const [one, other] = [person(), person()];
    await record(said(one, true, 10), said(one, false, 10));
    await record(said(other, false, 10));
    await record(said(other, true, 10));
    await record(said(other, false, 10));
    expect([await holds(one), await holds(other)]).toEqual([['all suppressed'], ['all suppressed']]);
  });

  it('each holds for its own category and its own sender', async () => {
    const recipient = person();
    await record(said(recipient, true, 10, { category: 'marketing' }), said(recipient, false, 10));
    expect(await holds(recipient)).toEqual(['all free', 'marketing suppressed']);
    await record(said(recipient, true, 20, { senderAddress: 'MG1' }));
    expect(await holds(recipient)).toEqual(['all free', 'all suppressed', 'marketing suppressed']);
  });

  it('one that ends a suppression ends it for every form of the number', async () => {
    const digits = String(Date.now()).slice(-10);
    const [written, known] = [`whatsapp:+521${digits}`, `whatsapp:+52${digits}`];
    await record(said(written, true, 10), said(known, true, 10));
    await record(said(known, false, 20));
    expect([await holds(written), await holds(known)]).toEqual([['all free'], ['all free']]);
  });

  it('any order, repetition and batches at once end in the same', async () => {
    const story = fc.array(fc.record({ second: fc.integer({ min: 0, max: 5 }), suppressed: fc.boolean() }), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(story, fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), async (facts, stream) => {
        const recipient = person();
        const events = facts.map(({ second, suppressed }) => said(recipient, suppressed, second));
        const order = [...events, ...events].map((event) => ({ event, place: stream.next().value as number }));
        const shuffled = order.toSorted((a, b) => a.place - b.place).map(({ event }) => event);
        const middle = Math.floor(shuffled.length / 2);
        await Promise.all([record(...shuffled.slice(0, middle)), record(...shuffled.slice(middle))].filter(Boolean));
        const last = Math.max(...facts.map(({ second }) => second));
        const suppressed = facts.some((fact) => fact.second === last && fact.suppressed);
        expect(await holds(recipient)).toEqual([suppressed ? 'all suppressed' : 'all free']);
      }),
      { numRuns: 60 },
    );
  });
});

it('one event that the database refuses fails alone', async () => {
  const recipient = person();
  const settled = await recordSuppressions(room.db, [said(recipient, true, 1), { ...said(person(), true, 1), at: 'yesterday or so' }]);
  expect(settled.map(({ ok }) => ok)).toEqual([true, false]);
  expect(await holds(recipient)).toEqual(['all suppressed']);
});
