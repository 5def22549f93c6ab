import { waitFor } from '@tickmark/testing';
import { expect, it } from 'vitest';
import { discardDeadLetters, listDeadLetters, requestRetry } from './dead-letters.ts';
import { deliveryRoom } from './fixtures/delivery-room.ts';
import { insertDeadLetter } from './insert-dead-letter.ts';

const room = deliveryRoom();
const ALL = { ids: null, queue: null };
const OPERATOR = { actor: 'ann', reason: 'mended' };

it.each([
  ['retries', requestRetry],
  ['discards', discardDeadLetters],
])('who %s all letters locks them in the order of their ids: two operators never wait for each other', async (_name, change) => {
  for (const jobId of ['a/0', 'a/1']) await insertDeadLetter(room.db, { queue: 'intake', jobId, payload: {}, reason: 'x' });
  const [first = 0, second = 0] = (await listDeadLetters(room.db, { queue: null, limit: 2 })).map(({ id }) => id);
  // Changed last, and so read last by who reads the table as it lies on disk.
  await room.db.sql`UPDATE dead_letters SET reason = 'y' WHERE id = ${first}`;
  const { changing } = await room.db.sql.begin(async (tx) => {
    const [{ pid }] = await tx<[{ pid: number }]>`SELECT pg_backend_pid() AS pid FROM dead_letters WHERE id = ${first} FOR UPDATE`;
    const waiting = change(room.db, ALL, OPERATOR);
    await waitFor(async () => (await room.db.sql`SELECT FROM pg_stat_activity WHERE ${pid} = ANY (pg_blocking_pids(pid))`).length === 1);
    // Free still, else this throws.
    expect(await room.db.sql`SELECT FROM dead_letters WHERE id = ${second} FOR UPDATE NOWAIT`).toHaveLength(1);
    // In an object, because a promise itself would be awaited before the commit that it waits for.
    return { changing: waiting };
  });
  expect(await changing).toEqual([first, second]);
  await room.db.sql`DELETE FROM dead_letters`;
});
