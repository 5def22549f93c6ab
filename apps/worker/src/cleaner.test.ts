import { randomUUID } from 'node:crypto';
import { cancelMessages, openStop, withAdvisoryLock } from '@tickmark/delivery';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cleanOnce } from './cleaner.ts';
import { createWorkerHarness, type WorkerHarness } from './fixtures/worker-harness.ts';

let harness: WorkerHarness;
beforeAll(async () => {
  harness = await createWorkerHarness();
});
afterAll(() => harness.close());

it('what nothing asks for any more is deleted, by one process at a time, and the rest stays', async () => {
  const { db } = harness;
  const [old, young] = [randomUUID(), randomUUID()];
  await cancelMessages(
    db,
    [old, young].map((id) => ({ id, producer: 'shop' })),
  );
  await db.sql`UPDATE cancel_requests SET requested_at = now() - interval '8 days' WHERE message_id = ${old}`;
  for (const target of ['ended', 'recent']) {
    await openStop(db, { scope: 'campaign', target, actor: 'ann', forMs: 0 });
  }
  await db.sql`UPDATE send_stops SET until = now() - interval '25 hours' WHERE target = 'ended'`;
  expect(await withAdvisoryLock(db, 'cleaner', () => cleanOnce(harness.deps))).toEqual({ ran: true, value: null });
  expect(await cleanOnce(harness.deps)).toEqual({ cancelRequests: 1, stops: 1 });
  expect([...(await db.sql`SELECT message_id AS id FROM cancel_requests`)]).toEqual([{ id: young }]);
  expect([...(await db.sql`SELECT target FROM send_stops`)]).toEqual([{ target: 'recent' }]);
});
