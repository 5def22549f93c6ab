import { randomUUID } from 'node:crypto';
import { acceptedMessage } from '@tickmark/testing';
import { afterEach, expect, it } from 'vitest';
import { openBreaker, takeProbe } from './breakers.ts';
import { cancelMessages } from './cancel-messages.ts';
import { deleteCancelRequests, deleteEndedStops } from './delete-leftovers.ts';
import { deliveryRoom, valuesOf } from './fixtures/delivery-room.ts';
import { insertAccepted } from './insert-accepted.ts';
import { listStops, openStop } from './send-stops.ts';

const room = deliveryRoom();
const DAY_SECONDS = 86_400;

afterEach(async () => {
  await room.db.sql`TRUNCATE send_stops, cancel_requests, whatsapp_messages`;
});

const requests = async () => (await room.db.sql<{ id: string }[]>`SELECT message_id AS id FROM cancel_requests`).map(({ id }) => id);
const age = (days: number) =>
  room.db.sql`UPDATE cancel_requests SET requested_at = requested_at - ${days * DAY_SECONDS} * interval '1 second'`;

it('old cancellations are deleted by the thousand, young ones stay', async () => {
  const cancel = (ids: string[]) =>
    cancelMessages(
      room.db,
      ids.map((id) => ({ id, producer: 'shop' })),
    ).then(valuesOf);
  await cancel(Array.from({ length: 1_200 }, () => randomUUID()));
  await age(8);
  const young = randomUUID();
  await cancel([young]);
  expect(await deleteCancelRequests(room.db, { olderThanSeconds: 7 * DAY_SECONDS })).toBe(1_200);
  expect(await requests()).toEqual([young]);
});

it('a cancellation stays, however old, as long as its message may be sent: the claim looks at it', async () => {
  // Its update found no row yet, and the insertion no request: they ran at the same moment.
  const message = acceptedMessage({ sendAt: new Date(Date.now() + 30 * DAY_SECONDS * 1000).toISOString() });
  valuesOf(await insertAccepted(room.db, [message]));
  await room.db.sql`INSERT INTO cancel_requests (message_id, producer) VALUES (${message.id}, 'shop')`;
  await age(29);
  expect(await deleteCancelRequests(room.db, { olderThanSeconds: 7 * DAY_SECONDS })).toBe(0);
  expect((await room.claim(message.id)).answer).toMatchObject({ kind: 'ended', status: 'canceled' });
  expect(await deleteCancelRequests(room.db, { olderThanSeconds: 7 * DAY_SECONDS })).toBe(1);
});

it('a cancellation stays, however old, as long as the retry of its message may be sent', async () => {
  const original = randomUUID();
  const retry = await room.insert();
  await room.db.sql`UPDATE whatsapp_messages SET origin = 'retry', retry_of = ${original} WHERE id = ${retry.id}`;
  await room.db.sql`INSERT INTO cancel_requests (message_id, producer) VALUES (${original}, 'shop')`;
  await age(29);
  expect(await deleteCancelRequests(room.db, { olderThanSeconds: 7 * DAY_SECONDS })).toBe(0);
  expect((await room.claim(retry.id)).answer).toMatchObject({ kind: 'ended', status: 'canceled' });
  expect(await deleteCancelRequests(room.db, { olderThanSeconds: 7 * DAY_SECONDS })).toBe(1);
});

it('stops that ended long ago are deleted; those that count stay, and those whose level still matters', async () => {
  const stop = { actor: 'ann' } as const;
  const pause = { firstMs: 1, longestMs: 1, quietMs: 3_600_000 };
  const breaker = (target: string) => openBreaker(room.db, { scope: 'sender', target, errorCode: 63018, reason: 'limit', pause });
  await openStop(room.db, { ...stop, scope: 'all', target: '*', forMs: null });
  await openStop(room.db, { ...stop, scope: 'campaign', target: 'running', forMs: 3_600_000 });
  for (const target of ['old', 'recent']) await breaker(target);
  const end = (target: string, ago: string) => room.db.sql`UPDATE send_stops SET until = now() - ${ago}::interval WHERE target = ${target}`;
  await end('old', '25 hours');
  await end('recent', '50 minutes');

  expect(await deleteEndedStops(room.db, { endedForSeconds: DAY_SECONDS })).toBe(1);
  expect((await listStops(room.db)).map(({ target }) => target)).toEqual(['*', 'running']);
  expect(await breaker('recent')).toMatchObject({ level: 1 });
  expect(await breaker('old')).toMatchObject({ level: 0 });
});

it('the breaker of an account ends when nobody has tried it for so long: nobody uses its credentials any more', async () => {
  const open = (scope: 'account' | 'sender', target: string) =>
    openBreaker(room.db, { scope, target, errorCode: 20003, reason: 'credentials', pause: null });
  for (const target of ['rotated', 'tried', 'fresh']) await open('account', target);
  await open('sender', 'nobody');
  await room.db
    .sql`UPDATE send_stops SET opened_at = now() - interval '3 days', probed_at = now() - interval '25 hours' WHERE target <> 'fresh'`;
  expect(await takeProbe(room.db, { scope: 'account', target: 'tried' }, 300_000)).toBe(true);
  expect(await deleteEndedStops(room.db, { endedForSeconds: DAY_SECONDS })).toBe(1);
  expect((await listStops(room.db)).map(({ target }) => target)).toEqual(['fresh', 'tried', 'nobody']);
});
