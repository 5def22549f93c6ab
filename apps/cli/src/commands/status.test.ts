import { createHash, randomBytes } from 'node:crypto';
import { applyStatuses, createDatabase, insertAccepted, type Database } from '@tickmark/delivery';
import { newMessageId } from '@tickmark/domain';
import {
  acceptedMessage,
  freePort,
  randomApiKey,
  type SpawnedProcess,
  spawnProcess,
  testDatabase,
  type TestDatabase,
  testRedis,
} from '@tickmark/testing';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../fixtures/run.ts';

describe('tickmark status', () => {
  const messageSid = `SM${randomBytes(16).toString('hex')}`;
  const message = acceptedMessage();
  const key = randomApiKey();
  let env: { TICKMARK_CONSOLE_URL: string; TICKMARK_API_KEY: string };
  let database: TestDatabase;
  let db: Database;
  let app: SpawnedProcess;

  beforeAll(async () => {
    database = await testDatabase();
    db = createDatabase({ url: database.url, prepare: true, max: 2, applicationName: 'cli-test' });
    await insertAccepted(db, [message]);
    const received = { messagingServiceSid: null, from: null, to: null, source: 'callback' as const, receivedAt: new Date().toISOString() };
    const event = { ...received, messageId: message.id, attempt: 1, messageSid, rawStatus: 'undelivered', errorCode: 63024 };
    await applyStatuses(db, [{ ...event, channelStatusMessage: null }]);
    const port = await freePort();
    env = { TICKMARK_CONSOLE_URL: `http://127.0.0.1:${port}`, TICKMARK_API_KEY: key };
    app = spawnProcess({
      entry: 'apps/console/src/main.ts',
      env: {
        TWILIO_MODE: 'simulator',
        DATABASE_URL: database.url,
        REDIS_URL: testRedis().redisUrl,
        CONSOLE_PORT: String(port),
        METRICS_PORT: '0',
        API_KEYS: `desk:${createHash('sha256').update(key).digest('hex')}:read`,
      },
    });
    await app.waitForReady(`${env.TICKMARK_CONSOLE_URL}/health/ready`, { timeoutMs: 50_000 });
  });
  afterAll(async () => {
    await app.kill();
    await db.close();
    await database.drop();
  });

  it('tells people what became of a message, by id and by SID', async () => {
    const byId = await run(['status', message.id], env);
    expect(byId).toMatchObject({ code: 0, err: '' });
    for (const text of [message.id, messageSid, message.recipient, 'undelivered', '63024: ', 'remedy', 'callback'])
      expect(byId.out).toContain(text);
    expect((await run(['status', messageSid], env)).out).toBe(byId.out);
  });

  it('prints the console’s answer with --json', async () => {
    const { code, out } = await run(['status', message.id, '--json'], env);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ id: message.id, status: 'undelivered', errorCode: 63024, content: { body: message.body } });
  });

  it('exits 1 with the console’s own words when there is no such message', async () => {
    const { code, out, err } = await run(['status', newMessageId()], env);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain('no message');
    expect(JSON.parse((await run(['status', '../x', '--json'], env)).err).error.code).toBe('MESSAGE_NOT_FOUND');
  });

  it('exits 1 and names the key when the console does not know it', async () => {
    const { code, err } = await run(['status', message.id], { ...env, TICKMARK_API_KEY: randomApiKey() });
    expect(code).toBe(1);
    expect(err).toContain('TICKMARK_API_KEY');
  });

  it('exits 1 and says how to start one when no console answers', async () => {
    const { code, err } = await run(['status', message.id], { ...env, TICKMARK_CONSOLE_URL: `http://127.0.0.1:${await freePort()}` });
    expect(code).toBe(1);
    expect(err).toMatch(/npm run console.*TICKMARK_CONSOLE_URL/s);
  });

  it.each<[string, RequestListener]>([
    ['a page', (_request, response) => void response.end('<html>')],
    ['other JSON', (_request, response) => void response.end('{"hello":1}')],
    ['an error of its own', (_request, response) => void response.writeHead(500).end('{}')],
  ])('exits 1 and doubts the address when something else answers with %s', async (_name, answer) => {
    const server = createServer(answer);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { code, err } = await run(['status', message.id], { ...env, TICKMARK_CONSOLE_URL: url });
    expect(code).toBe(1);
    expect(err).toContain('TICKMARK_CONSOLE_URL');
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
});
