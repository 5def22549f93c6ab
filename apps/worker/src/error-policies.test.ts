import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDatabase, type Database } from '@tickmark/delivery';
import { systemClock } from '@tickmark/runtime';
import { captureLogger, testDatabase, waitFor } from '@tickmark/testing';
import { createDatabaseBreaker } from './database-breaker.ts';
import { createErrorPolicies } from './error-policies.ts';

let db: Database;
let drop: () => Promise<void>;
beforeAll(async () => {
  const database = await testDatabase();
  db = createDatabase({ url: database.url, prepare: true, max: 2, applicationName: 'worker-test' });
  drop = database.drop;
});
afterAll(async () => {
  await db.close();
  await drop();
});

function followPolicies() {
  const log = captureLogger();
  const breaker = createDatabaseBreaker({ db, clock: systemClock, log: log.log });
  return { policies: createErrorPolicies({ db, breaker }, { refreshMs: 20 }), log };
}

it('policies that are set, changed and removed are followed while the process runs', async () => {
  const { policies } = followPolicies();
  expect(policies.actionFor(63024)).toBeUndefined();
  await db.sql`INSERT INTO error_policies (code, action) VALUES (63024, 'hold')`;
  await waitFor(() => policies.actionFor(63024) === 'hold');
  await db.sql`UPDATE error_policies SET action = 'retry' WHERE code = 63024`;
  await waitFor(() => policies.actionFor(63024) === 'retry');
  await db.sql`DELETE FROM error_policies`;
  await waitFor(() => policies.actionFor(63024) === undefined);
  await policies.close();
});

it('the known policies stay when they cannot be read', async () => {
  const { policies, log } = followPolicies();
  await db.sql`INSERT INTO error_policies (code, action) VALUES (21211, 'stop')`;
  await policies.refresh();
  await db.sql`ALTER TABLE error_policies RENAME TO elsewhere`;
  await waitFor(() => log.text().includes('could not be read'));
  expect(policies.actionFor(21211)).toBe('stop');
  await db.sql`ALTER TABLE elsewhere RENAME TO error_policies`;
  await policies.close();
});
