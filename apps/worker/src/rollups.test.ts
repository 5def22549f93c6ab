import { applyStatuses, createDatabase } from '@tickmark/delivery';
import { createMetrics } from '@tickmark/runtime';
import { randomPhone, randomSid, statusEvent, testDatabase, waitFor } from '@tickmark/testing';
import { expect, it, onTestFinished } from 'vitest';
import { startRollups } from './rollups.ts';

it('folds changes and refreshes phones by itself while the worker runs', async () => {
  const database = await testDatabase();
  const db = createDatabase({ url: database.url, prepare: true, max: 3, applicationName: 'rollups-test' });
  const metrics = createMetrics({ process: 'worker' });
  const rollups = startRollups({ db, metrics, breaker: { report: () => Promise.resolve(), reason: () => null } }, 10);
  onTestFinished(async () => {
    await rollups.close();
    await db.close();
    await database.drop();
  });
  const [from, to] = [`whatsapp:${randomPhone()}`, `whatsapp:${randomPhone()}`];
  await applyStatuses(db, [statusEvent({ messageSid: randomSid(), rawStatus: 'delivered', from, to })]);
  await waitFor(async () => {
    const hours = await db.sql`SELECT FROM message_delivery_metrics WHERE sender = ${from} AND (measures ->> 'delivered')::int = 1`;
    const phones =
      await db.sql`SELECT phone, role FROM phone_delivery_performance WHERE (measures ->> 'delivered')::int = 1 AND last_delivered_at IS NOT NULL`;
    return hours.length === 1 && phones.length === 2;
  });
  expect(await db.sql`SELECT FROM delivery_metric_changes`).toHaveLength(0);

  await db.sql`INSERT INTO senders (alias, address, mps) VALUES ('desk', ${from}, 1)`;
  await db.sql`UPDATE whatsapp_messages SET sender = 'desk', created_at = now() - interval '3 hours'`;
  const shares = async () => (await metrics.receiptCompleteness.get()).values.map(({ labels, value }) => [labels.sender, value]);
  await waitFor(async () => (await shares()).length > 0);
  expect(await shares()).toEqual([['desk', 1]]);
});
