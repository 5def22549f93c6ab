import { openTcpGate, waitFor, type TcpGate } from '@tickmark/testing';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { classifyDatabaseError } from './database-errors.ts';
import { createDatabase, inStatement, inTransaction, type Database } from './database.ts';
import { deliveryRoom } from './fixtures/delivery-room.ts';

const room = deliveryRoom();
let gate: TcpGate;
let db: Database;
beforeAll(async () => {
  gate = await openTcpGate(room.url);
  db = createDatabase({ url: gate.url, prepare: true, max: 4, applicationName: 'lanes' });
});
afterEach(() => gate.open());
afterAll(async () => {
  await db.close();
  await gate.close();
});

const echo = (value: number) => inStatement(db.sql, (sql) => sql<{ value: number }[]>`SELECT ${value}::int AS value`);

it('a transaction whose connection is lost fails, and what it asks afterwards reaches nobody', async () => {
  let asked: Promise<unknown> | undefined;
  const lost = inTransaction(db.sql, async (tx) => {
    await tx`SELECT 1`;
    await gate.close();
    asked = waitFor(() =>
      tx`SELECT 1`.then(
        () => false,
        (error: unknown) => error,
      ),
    ).finally(() => gate.open());
    await asked;
    // As code does that was busy with something else meanwhile; the pool would send it over a new connection, or end the process.
    await tx`CREATE TABLE outside_of_its_transaction ()`;
  });
  await expect(lost).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' });
  await asked;
  expect(await echo(7)).toEqual([{ value: 7 }]);
  expect(await room.db.sql`SELECT to_regclass('outside_of_its_transaction') AS found`).toEqual([{ found: null }]);
});

it('a lock that is held while its connection is lost is an error of the database, and the process lives', async () => {
  const held = inTransaction(db.sql, async (tx) => {
    await tx`SELECT pg_advisory_xact_lock(1)`;
    await gate.close();
    await expect(echo(1)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    throw new Error('what the work itself says about it');
  });
  const error: unknown = await held.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(classifyDatabaseError(error)).toBe('infrastructure');
});

it('every statement of an outage is answered with its own rows or with an error', async () => {
  const wrong: unknown[] = [];
  let answered = 0;
  const stop = new AbortController();
  const ask = async (start: number) => {
    for (let value = start; !stop.signal.aborted; value += 100) {
      const rows = await echo(value).catch((error: unknown) => {
        if (classifyDatabaseError(error) !== 'infrastructure') wrong.push(error);
        return null;
      });
      if (rows !== null && rows[0]?.value !== value) wrong.push({ value, rows });
      answered += 1;
    }
  };
  const askers = Array.from({ length: 12 }, (_, index) => ask(index));
  for (let outage = 0; outage < 15; outage += 1) {
    const before = answered;
    await waitFor(() => answered > before + 50);
    await gate.close();
    await gate.open();
  }
  stop.abort();
  await Promise.all(askers);
  expect(wrong).toEqual([]);
});

it('a transaction in which a failed statement was passed over does not count as committed', async () => {
  const swallowed = inTransaction(room.db.sql, (tx) => tx`SELECT 1 / 0`.catch(() => 'as if nothing had happened'));
  await expect(swallowed).rejects.toThrow('rolled back');
});

it('work beyond the number of connections waits for its turn', async () => {
  const values = Array.from({ length: 40 }, (_, index) => index);
  expect((await Promise.all(values.map(echo))).map(([row]) => row?.value)).toEqual(values);
  const [row] = await room.db.sql<[{ count: number }]>`
    SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name = 'lanes' AND datname = current_database()`;
  expect(row.count).toBeLessThanOrEqual(4);
});
