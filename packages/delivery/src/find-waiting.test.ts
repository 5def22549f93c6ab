import { randomUUID } from 'node:crypto';
import { acceptedMessage } from '@tickmark/testing';
import { afterEach, expect, it } from 'vitest';
import { deliveryRoom, throttled, valuesOf } from './fixtures/delivery-room.ts';
import { findWaiting, type WaitingMessage } from './find-waiting.ts';
import { insertAccepted } from './insert-accepted.ts';
import { recordOutcome } from './record-outcome.ts';

const room = deliveryRoom();
const HOUR_MS = 3_600_000;

afterEach(async () => {
  await room.db.sql`TRUNCATE whatsapp_messages`;
});

it('every row that waits and is due before the time is on exactly one page, the longest due first', async () => {
  const messages = Array.from({ length: 25 }, (_, index) => acceptedMessage({ sendAt: inMs(index % 3 === 0 ? HOUR_MS / 2 + index : 0) }));
  // All due at the same millisecond, so that the id alone orders them.
  valuesOf(await insertAccepted(room.db, messages));
  const pages = await allPages(4);
  expect(pages.map((page) => page.length)).toEqual([4, 4, 4, 4, 4, 4, 1]);
  const rows = pages.flat();
  expect(rows.map((row) => row.id).toSorted()).toEqual(messages.map((message) => message.id).toSorted());
  expect(rows.map((row) => row.dueAt.getTime())).toEqual(rows.map((row) => row.dueAt.getTime()).toSorted((a, b) => a - b));
});

it('rows that are claimed, sent, failed or due later are on no page', async () => {
  const waiting = await room.insert({ priority: 'transactional' });
  await room.insert({ sendAt: inMs(2 * HOUR_MS) });
  await room.sendAccepted();
  await room.claim((await room.insert()).id);
  const [page] = await allPages(10);
  expect(page).toEqual([{ id: waiting.id, sender: 'support', priority: 'transactional', dueAt: expect.any(Date) }]);
});

it('a throttled row is found again', async () => {
  const { id } = await room.insert();
  const { token } = await room.claim(id);
  valuesOf(await recordOutcome(room.db, [{ id, attempt: 1, token, outcome: throttled() }]));
  expect((await allPages(10)).flat().map((row) => row.id)).toEqual([id]);
});

it('a page after a row that is gone goes on behind it', async () => {
  const [first, second] = [await room.insert(), await room.insert()];
  const cursor = (await allPages(1)).flat().find((row) => row.id === first.id);
  await room.claim(first.id, randomUUID());
  const rest = await findWaiting(room.db, { ...(cursor ? { after: cursor } : {}), limit: 10, dueBefore: new Date(Date.now() + HOUR_MS) });
  expect(rest.map((row) => row.id)).toEqual([second.id]);
});

async function allPages(limit: number): Promise<WaitingMessage[][]> {
  const pages: WaitingMessage[][] = [];
  for (let after: WaitingMessage | undefined; pages.length < 20; after = pages.at(-1)?.at(-1)) {
    const page = await findWaiting(room.db, { ...(after ? { after } : {}), limit, dueBefore: new Date(Date.now() + HOUR_MS) });
    if (page.length > 0) pages.push(page);
    if (page.length < limit) break;
  }
  return pages;
}

function inMs(ms: number): string {
  return new Date(Date.now() + ms).toISOString();
}
