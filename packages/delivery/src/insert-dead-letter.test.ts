import { expect, it } from 'vitest';
import { deliveryRoom } from './fixtures/delivery-room.ts';
import { insertDeadLetter } from './insert-dead-letter.ts';

const room = deliveryRoom();

it('is kept once per job, also when its text is the reason that it died', async () => {
  const letter = { queue: 'intake', jobId: 'a/1', payload: { body: 'a\0b\uD800', list: [1, null] }, reason: '22021' };
  await insertDeadLetter(room.db, letter);
  await insertDeadLetter(room.db, letter);
  await insertDeadLetter(room.db, { ...letter, jobId: 'a/2', payload: undefined });
  const rows = await room.db.sql`SELECT queue, job_id, payload, reason FROM dead_letters ORDER BY job_id`;
  expect([...rows]).toEqual([
    { queue: 'intake', job_id: 'a/1', payload: { body: 'ab\uFFFD', list: [1, null] }, reason: '22021' },
    { queue: 'intake', job_id: 'a/2', payload: null, reason: '22021' },
  ]);
});
