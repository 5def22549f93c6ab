import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { randomBytes } from 'node:crypto';
import { freePort } from '@tickmark/testing';
import postgres from 'postgres';
import { afterAll, describe, expect, it } from 'vitest';
import { checkDatabase } from './check-database.ts';
import { classifyDatabaseError } from './database-errors.ts';
import { createDatabase } from './database.ts';
import { deliveryRoom } from './fixtures/delivery-room.ts';
import { migrateDatabase } from './migrate-database.ts';
import { MIGRATIONS_FOLDER } from './migrations-folder.ts';

const room = deliveryRoom();
const MIGRATIONS = readdirSync(MIGRATIONS_FOLDER).filter((name) => name.endsWith('.sql')).length;
const created: string[] = [];

afterAll(async () => {
  const sql = withoutTimeouts();
  for (const name of created) await sql`DROP DATABASE ${sql(name)} WITH (FORCE)`;
  await sql.end();
});

describe('migrating', () => {
  it('by four processes at once applies each migration once', async () => {
    const url = await emptyDatabase();
    const script = fileURLToPath(new URL('fixtures/migrate-once.ts', import.meta.url));
    const run = () => promisify(execFile)(process.execPath, ['--conditions=@tickmark/source', '--import', 'tsx', script, url]);
    const outputs = await Promise.all([run(), run(), run(), run()]);
    const applied = outputs.map(({ stdout }) => (JSON.parse(stdout) as { applied: number }).applied);
    expect(applied.toSorted()).toEqual([0, 0, 0, MIGRATIONS]);
    await withDatabase(url, async (db) => expect(await checkDatabase(db)).toEqual({ ok: true }));
  });

  it('a database that is up to date applies nothing', async () => {
    const lines: object[] = [];
    const log = { info: (fields: object) => lines.push(fields), warn: () => {} };
    expect(await migrateDatabase({ url: room.url, log })).toEqual({ applied: 0 });
    expect(lines).toEqual([{ applied: 0 }]);
  });

  it('a database that is away is an infrastructure error', async () => {
    const migrated = migrateDatabase({ url: `postgres://nobody@127.0.0.1:${await freePort()}/x` });
    expect(await migrated.catch(classifyDatabaseError)).toBe('infrastructure');
  });
});

describe('checking', () => {
  it('tells which migrations are missing and what to do', async () => {
    const url = await emptyDatabase();
    await withDatabase(url, async (db) => {
      expect(await checkDatabase(db)).toEqual({
        ok: false,
        reason: `${MIGRATIONS} migrations are missing in the database: run "npm run migrate".`,
      });
      await migrateDatabase({ url });
      await db.sql`DELETE FROM drizzle.__drizzle_migrations WHERE created_at = (SELECT min(created_at) FROM drizzle.__drizzle_migrations)`;
      expect(await checkDatabase(db)).toMatchObject({ ok: false, reason: expect.stringMatching(/^1 migration is missing/) });
    });
  });

  it('accepts a database that a newer release has migrated further', async () => {
    const url = await emptyDatabase();
    await migrateDatabase({ url });
    await withDatabase(url, async (db) => {
      await db.sql`INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('newer', 9999999999999)`;
      expect(await checkDatabase(db)).toEqual({ ok: true });
    });
  });

  it.each([
    [
      'a user that the server does not know',
      (url: URL) => (url.username = 'nobody'),
      /^PostgreSQL refuses us \(28000\): check user, password/,
    ],
    [
      'a name that no database has',
      (url: URL) => (url.pathname = '/nowhere'),
      /^PostgreSQL has no database of this name \(3D000\): create it/,
    ],
  ])('%s is told as what it is', async (_name, change, reason) => {
    const url = new URL(room.url);
    change(url);
    await withDatabase(url.href, async (db) => {
      expect(await checkDatabase(db)).toEqual({ ok: false, reason: expect.stringMatching(reason) });
    });
  });

  it('a wrong password is told as what it is', async () => {
    const server = await refusingServer('28P01');
    await withDatabase(server.url, async (db) => {
      expect(await checkDatabase(db)).toEqual({ ok: false, reason: expect.stringMatching(/^PostgreSQL refuses us \(28P01\)/) });
    });
    await server.close();
  });

  it('a server that takes connections and says nothing is told as one that does not answer', async () => {
    const server = await startServer(() => {});
    await withDatabase(server.url, async (db) => {
      expect(await checkDatabase(db, 300)).toEqual({ ok: false, reason: expect.stringMatching(/^PostgreSQL does not answer \(silent/) });
    });
    await server.close();
  });

  it('a database that is away is a reason, not an exception', async () => {
    await withDatabase(`postgres://nobody@127.0.0.1:${await freePort()}/x`, async (db) => {
      expect(await checkDatabase(db)).toEqual({
        ok: false,
        reason: 'PostgreSQL does not answer (ECONNREFUSED): check that it runs and that DATABASE_URL names it.',
      });
    });
  });
});

/** Answers every start of a session with this code: the tests' own server trusts everybody and asks for no password. */
function refusingServer(code: string) {
  const fields = Buffer.from(`SFATAL\0C${code}\0Mrefused\0\0`);
  const answer = Buffer.concat([Buffer.from('E'), Buffer.alloc(4), fields]);
  answer.writeInt32BE(fields.length + 4, 1);
  return startServer((socket) => socket.end(answer));
}

async function startServer(greet: (socket: Socket) => void) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {}).once('data', () => greet(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `postgres://nobody:wrong@127.0.0.1:${(server.address() as AddressInfo).port}/x`,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Making and dropping a database may take longer than a statement of ours. */
function withoutTimeouts() {
  return postgres(room.url, { max: 1 });
}

async function emptyDatabase(): Promise<string> {
  const name = `tickmark_empty_${randomBytes(6).toString('hex')}`;
  const sql = withoutTimeouts();
  await sql`CREATE DATABASE ${sql(name)}`;
  await sql.end();
  created.push(name);
  const url = new URL(room.url);
  url.pathname = `/${name}`;
  return url.href;
}

async function withDatabase(url: string, work: (db: ReturnType<typeof createDatabase>) => Promise<void>): Promise<void> {
  const db = createDatabase({ url, prepare: true, max: 2, applicationName: 'check' });
  try {
    await work(db);
  } finally {
    await db.close(500);
  }
}
