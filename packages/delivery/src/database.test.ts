import { createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createDatabase, inStatement, inTransaction } from './database.ts';
import { deliveryRoom } from './fixtures/delivery-room.ts';

describe.each([
  ['with prepared statements', true],
  ['behind a transaction pooler', false],
])('a session %s', (_name, prepare) => {
  const room = deliveryRoom({ prepare });

  it('has the time-outs, and speaks UTC', async () => {
    const read = () =>
      inStatement(
        room.db.sql,
        (sql) => sql`SELECT current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock,
          current_setting('idle_in_transaction_session_timeout') AS idle, current_setting('TimeZone') AS zone,
          current_setting('enable_seqscan') AS scans, current_setting('application_name') AS name`,
      );
    const expected = { statement: '8s', lock: '2s', idle: '30s', zone: 'UTC', scans: 'off', name: 'tickmark-delivery-test' };
    expect([...(await read())]).toEqual([expected]);
    expect([...(await inTransaction(room.db.sql, (tx) => tx`SELECT current_setting('lock_timeout') AS lock`))]).toEqual([{ lock: '2s' }]);
  });

  it('gives up a locked row after two seconds', async () => {
    const { id } = await room.insert();
    await room.db.sql.begin(async (tx) => {
      await tx`SELECT FROM whatsapp_messages WHERE id = ${id} FOR UPDATE`;
      const startedAt = performance.now();
      const blocked = inStatement(room.db.sql, (sql) => sql`UPDATE whatsapp_messages SET campaign = 'x' WHERE id = ${id}`);
      await expect(blocked).rejects.toMatchObject({ code: '55P03' });
      expect(performance.now() - startedAt).toBeLessThan(4_000);
    });
  });

  it('claims, records and applies', async () => {
    const { message, sid } = await room.sendAccepted();
    expect(await room.row(message.id)).toMatchObject({ status: 'queued', message_sid: sid });
  });
});

describe('connections', () => {
  const room = deliveryRoom();

  it('of raw SQL and of Drizzle read the same times', async () => {
    const [raw] = await room.db.sql<[{ at: Date }]>`SELECT '2026-01-02T03:04:05.678Z'::timestamptz AS at`;
    expect(raw.at).toEqual(new Date('2026-01-02T03:04:05.678Z'));
    await room.db.orm.execute('SELECT 1');
    const [again] = await room.db.sql<[{ at: Date; json: object }]>`
      SELECT ${new Date(0)}::timestamptz AS at, ${room.db.sql.json({ a: 1 })} AS json`;
    expect(again).toEqual({ at: new Date(0), json: { a: 1 } });
  });

  it('are not opened before the first statement', async () => {
    const sockets: Socket[] = [];
    const { url, close } = await startSilentServer(sockets);
    const db = createDatabase({ url, prepare: true, max: 2, applicationName: 'idle' });
    await db.close();
    expect(sockets).toEqual([]);
    await close();
  });

  it('are opened again after the server ended them', async () => {
    const db = createDatabase({ url: room.url, prepare: true, max: 2, applicationName: 'cut off' });
    try {
      await db.sql`SELECT 1`;
      await room.db.sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cut off'`;
      await db.sql`SELECT 1`.catch(() => {});
      expect([...(await db.sql`SELECT 1 AS one`)]).toEqual([{ one: 1 }]);
    } finally {
      await db.close();
    }
  });

  it('to a server that says nothing are closed within the deadline', async () => {
    const sockets: Socket[] = [];
    const { url, close } = await startSilentServer(sockets);
    const db = createDatabase({ url, prepare: true, max: 2, applicationName: 'silent' });
    const asked = db.sql`SELECT 1`.catch((error: { code: string }) => error.code);
    const startedAt = performance.now();
    await db.close(300);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect(await asked).toMatch(/^CONNECTION_(DESTROYED|CLOSED)$/);
    await db.close(300);
    await close();
  });

  it('with a statement under way are closed within the deadline', async () => {
    const db = createDatabase({ url: room.url, prepare: true, max: 2, applicationName: 'busy' });
    const asked = db.sql`SELECT pg_sleep(3)`.catch((error: { code: string }) => error.code);
    await db.sql`SELECT 1`;
    const startedAt = performance.now();
    await db.close(300);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect(await asked).toMatch(/^CONNECTION_(DESTROYED|CLOSED)$/);
  });
});

/** Takes connections and never answers. */
async function startSilentServer(sockets: Socket[]) {
  const server = createServer((socket) => sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `postgres://nobody@127.0.0.1:${(server.address() as AddressInfo).port}/x`,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
