import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { testDatabase, waitFor } from '@tickmark/testing';
import { classifyDatabaseError } from './database-errors.ts';
import { createDatabase, inStatement } from './database.ts';
import { deliveryRoom } from './fixtures/delivery-room.ts';

const room = deliveryRoom();

const UUID = '0198c0de-0000-7000-8000-000000000001';

it.each<[type: string, values: readonly (string | number | null)[]]>([
  ['text', ['a', '', 'NULL', null, ' b ', 'c,d', '{e}', '"f"', String.raw`g\h`, 'i\nj', "k'l"]],
  ['text', []],
  ['varchar', ['a']],
  ['uuid', [UUID, null]],
  ['smallint', [1, -1]],
  ['int', [1, null, -2_147_483_648]],
  ['bigint', ['9007199254740993']],
  ['float8', [0.5, -1e300]],
])('an array of %s comes back as it was given: %j', async (type, values) => {
  const [row] = await inStatement(
    room.db.sql,
    (sql) => sql<{ given: unknown }[]>`SELECT ${values as string[]}::${sql.unsafe(type)}[] AS given`,
  );
  expect(row?.given).toEqual(values);
});

it('arrays of other types are read', async () => {
  const [row] = await inStatement(
    room.db.sql,
    (sql) => sql`SELECT ARRAY[true, NULL, false] AS booleans, ARRAY['\\x005cff'::bytea] AS bytes, ARRAY['a'::name] AS names,
      ARRAY['2026-01-02T03:04:05.678Z'::timestamptz] AS times, ARRAY['{"a": ["\\"", null]}'::jsonb, '1'] AS jsons`,
  );
  expect(row).toEqual({
    booleans: [true, null, false],
    bytes: [Buffer.from([0, 92, 255])],
    names: ['a'],
    times: [new Date('2026-01-02T03:04:05.678Z')],
    jsons: [{ a: ['"', null] }, 1],
  });
});

/** Passes on everything until the server says that it is ready; what is sent to it then ends the connection, and there are no others. */
async function startFickleServer(target: URL) {
  const sockets: Socket[] = [];
  const server = createServer((inside) => {
    const outside = connect(Number(target.port), target.hostname);
    sockets.push(inside, outside);
    let ready = false;
    inside.on('data', (bytes) => {
      if (ready) {
        server.close();
        for (const socket of sockets) socket.destroy();
      } else outside.write(bytes);
    });
    outside.on('data', (bytes) => {
      ready ||= bytes.subarray(-6).toString('latin1') === 'Z\0\0\0\x05I';
      inside.write(bytes);
    });
    for (const socket of [inside, outside]) socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return { port: (server.address() as AddressInfo).port, isClosed: () => !server.listening };
}

it('a connection that is lost as soon as it stands is an error of the statement, and of nobody else', async () => {
  const { url, drop } = await testDatabase();
  const server = await startFickleServer(new URL(url));
  const target = new URL(url);
  target.port = String(server.port);
  target.hostname = '127.0.0.1';
  const unheard: unknown[] = [];
  const hear = (error: unknown) => void unheard.push(error);
  process.on('unhandledRejection', hear);
  const db = createDatabase({ url: target.href, prepare: true, max: 2, applicationName: 'fickle' });
  const error: unknown = await inStatement(db.sql, (sql) => sql`SELECT 1`).catch((thrown: unknown) => thrown);
  expect(classifyDatabaseError(error)).toBe('infrastructure');
  await waitFor(server.isClosed);
  await db.close();
  process.off('unhandledRejection', hear);
  expect(unheard).toEqual([]);
  await drop();
});
