import { createServer, type AddressInfo } from 'node:net';
import { openTcpGate, waitFor, type TcpGate } from '@tickmark/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import postgres from 'postgres';
import { classifyDatabaseError } from './database-errors.ts';
import { createDatabase, inStatement, inTransaction, type Database } from './database.ts';
import { openLanes, type LaneWork } from './database-lanes.ts';
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

describe('a server that has gone without a word', () => {
  const ANSWER_MS_MAX = 3_000;
  const backend: LaneWork<number | undefined> = async (sql) => (await sql<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`)[0]?.pid;

  it('keeps a lane no longer than an answer may take, and the next statement goes over a new connection', async () => {
    const lanes = openLanes({ connect: (lane) => postgres(gate.url, lane), answerMsMax: ANSWER_MS_MAX }, 1);
    const before = await lanes.use(backend);
    gate.stall();
    const error: unknown = await lanes.use(backend).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: 'ETIMEDOUT' });
    expect(classifyDatabaseError(error)).toBe('infrastructure');
    await gate.open();
    expect(await lanes.use(backend)).not.toBe(before);
    await lanes.close(1_000);
  }, 20_000);

  it('does not end work that holds a connection and asks nothing', async () => {
    const lanes = openLanes({ connect: (lane) => postgres(gate.url, lane), answerMsMax: ANSWER_MS_MAX }, 2);
    const startedMs = performance.now();
    const [first, last] = await lanes.use(async (sql, spoil) => {
      const pid = await backend(sql, spoil);
      await waitFor(() => performance.now() - startedMs > ANSWER_MS_MAX + 500);
      return [pid, await backend(sql, spoil)];
    });
    expect(last).toBe(first);
    await lanes.close(1_000);
  }, 20_000);
});

it('a proxy that ends each connection at once is asked once, and the statement fails', async () => {
  let connections = 0;
  const proxy = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const url = new URL(room.url);
  url.host = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const behind = createDatabase({ url: url.href, prepare: true, max: 2, applicationName: 'lanes' });
  const error: unknown = await inStatement(behind.sql, (sql) => sql`SELECT 1`).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(classifyDatabaseError(error)).toBe('infrastructure');
  expect(connections).toBe(1);
  await behind.close();
  await new Promise((resolve) => proxy.close(resolve));
});
