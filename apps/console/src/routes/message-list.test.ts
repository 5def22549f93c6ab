import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { randomPhone, waitFor } from '@tickmark/testing';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createConsoleHarness, type ConsoleHarness, type KeyName } from '../fixtures/console-harness.ts';

let app: ConsoleHarness;
beforeAll(async () => {
  app = await createConsoleHarness();
});
afterAll(() => app.close());

const ids = async (query: string, key?: KeyName) => (await app.get(`/v1/messages?${query}`, key)).json.items.map(({ id }) => id);

/** Messages of one campaign, without content, each with a note of so many characters. */
async function fill(campaign: string, count: number, noteCharacters = 1): Promise<void> {
  await app.db.sql`
    INSERT INTO whatsapp_messages (id, status, rank, priority, campaign, recipient, created_at, read_at, metadata)
    SELECT gen_random_uuid(), 'read', 70, 'bulk', ${campaign}, ${`whatsapp:${randomPhone()}`}, now() - n * interval '1 second', now(),
      jsonb_build_object('note', repeat('x', ${noteCharacters}))
    FROM generate_series(1, ${count}::int) AS n`;
}

describe('GET /v1/messages', () => {
  it('lists the newest first, without content and timeline, page by page', async () => {
    const campaign = randomUUID();
    const messages = [];
    for (let index = 0; index < 5; index += 1) messages.push(await app.insert({ campaign }));
    const newestFirst = messages.map(({ id }) => id).toReversed();
    const first = await app.get(`/v1/messages?campaign=${campaign}&limit=3`);
    expect(first.json.items.map(({ id }) => id)).toEqual(newestFirst.slice(0, 3));
    expect(Object.keys(first.json.items[0] ?? {})).toHaveLength(25);
    expect(first.json.items[0]).toMatchObject({
      status: 'accepted',
      to: messages.at(-1)?.recipient,
      createdAt: messages.at(-1)?.acceptedAt,
    });
    expect(first.text).not.toContain(messages.at(-1)?.body);
    const second = await app.get(`/v1/messages?campaign=${campaign}&limit=3&cursor=${first.json.nextCursor}`);
    expect(second.json.items.map(({ id }) => id)).toEqual(newestFirst.slice(3));
    expect(second.json.nextCursor).toBeNull();
  });

  it('finds a recipient and a sender with and without whatsapp:, and takes repeated parameters as alternatives', async () => {
    const [one, two] = [await app.insert(), await app.insert()];
    const [number, other] = [one, two].map(({ recipient }) => recipient.slice('whatsapp:'.length));
    for (const to of [one.recipient, encodeURIComponent(one.recipient), number, encodeURIComponent(number ?? '')]) {
      expect(await ids(`to=${to}`)).toEqual([one.id]);
    }
    expect(await ids(`to=${number}&to=${other}`)).toEqual([two.id, one.id]);
    expect(await ids(`to=${number}&to=${other}&from=support&status=accepted&status=read&producer=shop`)).toEqual([two.id, one.id]);
    expect(await ids(`from=${encodeURIComponent(one.senderAddress.slice('whatsapp:'.length))}`)).toEqual([one.id]);
    expect(await ids(`to=${number}&errorCode=63016`)).toEqual([]);
    const [before, after] = [new Date(Date.now() - 60_000), new Date(Date.now() + 60_000)].map((time) => time.toISOString());
    expect(await ids(`to=${number}&since=${before}&until=${after}`)).toEqual([one.id]);
    expect(await ids(`to=${number}&since=${after}`)).toEqual([]);
  });

  it.each([
    ['to=nobody', 'to'],
    ['from=No%20One', 'from'],
    ['status=lost', 'status'],
    ['errorCode=x', 'errorCode'],
    ['campaign=%00', 'campaign'],
    ['since=yesterday', 'since'],
    ['since=2026-01-01T00:00:00', 'since'],
    ['limit=0', 'limit'],
    ['limit=501', 'limit'],
    ['cursor=abc', 'cursor'],
    [`cursor=${Buffer.from('["2026-01-01T00:00:00Z","x"]').toString('base64url')}`, 'cursor'],
    ['colour=red', 'colour'],
  ])('refuses %s and says what to correct', async (query, name) => {
    const { status, json } = await app.get(`/v1/messages?${query}`);
    expect([status, json.error.code]).toEqual([400, 'VALIDATION_FAILED']);
    expect(JSON.stringify((json.error as { details?: unknown }).details)).toContain(name);
  });

  it('shows a sending key its own messages alone, whatever it asks for', async () => {
    const campaign = randomUUID();
    const [own, foreign] = [await app.insert({ campaign, producer: 'mail' }), await app.insert({ campaign })];
    expect(await ids(`campaign=${campaign}`)).toEqual([foreign.id, own.id]);
    expect(await ids(`campaign=${campaign}`, 'mail')).toEqual([own.id]);
    expect(await ids(`campaign=${campaign}&producer=shop&producer=mail`, 'mail')).toEqual([own.id]);
    expect(await ids(`campaign=${campaign}&producer=shop`, 'mail')).toEqual([]);
    expect(await ids(`to=${foreign.recipient}`, 'mail')).toEqual([]);
    const csv = await app.ask('GET', `/v1/messages?to=${foreign.recipient}`, { key: 'mail', headers: { accept: 'text/csv' } });
    expect(csv.text.trimEnd().split('\r\n')).toHaveLength(1);
  });

  it('finds a Mexican number in both of its forms, once', async () => {
    const digits = randomPhone().slice(-10);
    const { id } = await app.insert({ recipient: `whatsapp:+521${digits}` });
    for (const query of [`to=+52${digits}`, `to=+521${digits}`, `to=+52${digits}&to=+521${digits}`]) expect(await ids(query)).toEqual([id]);
  });

  it('goes on over many messages of others until it finds something', async () => {
    const { id } = await app.insert({ producer: 'quiet' });
    await app.db.sql`UPDATE whatsapp_messages SET created_at = now() - interval '1 day' WHERE id = ${id}`;
    await fill(randomUUID(), 10_050);
    expect(await ids('producer=quiet')).toEqual([id]);
  });

  it('says what to do when the database takes too long', async () => {
    const answer = await app.db.sql.begin(async (tx) => {
      await tx`LOCK TABLE whatsapp_messages IN ACCESS EXCLUSIVE MODE`;
      const asked = app.get('/v1/messages?status=failed');
      // As the server's own time-out does it, but not after 8 s.
      const pid = await waitFor(async () => {
        const [waiting] = await tx<{ pid: number }[]>`
          SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
        return waiting?.pid;
      });
      await tx`SELECT pg_cancel_backend(${pid})`;
      return asked;
    });
    expect(answer).toMatchObject({
      status: 503,
      json: { error: { code: 'STORE_UNAVAILABLE', message: expect.stringContaining('shorter time') } },
    });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  });
});

describe('an export', () => {
  it('is CSV that any reader takes and no spreadsheet computes', async () => {
    const campaign = `=HYPERLINK("x"),\n${randomUUID()}`;
    const message = await app.insert({ campaign, metadata: { note: 'a "b", c' } });
    const answer = await app.ask('GET', `/v1/messages?campaign=${encodeURIComponent(campaign)}`, { headers: { accept: 'text/csv' } });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/csv; charset=utf-8']);
    const [row, ...rest] = parse<Record<string, string>>(answer.text, { columns: true, record_delimiter: '\r\n' });
    expect(rest).toEqual([]);
    expect(row).toMatchObject({ id: message.id, campaign: `'${campaign}`, to: message.recipient, errorCode: '', contradicted: 'false' });
    expect(JSON.parse(row?.['metadata'] ?? '')).toEqual({ note: 'a "b", c' });
  });

  it('is one JSON object per line, as the list shows them', async () => {
    const campaign = randomUUID();
    for (let index = 0; index < 3; index += 1) await app.insert({ campaign });
    const path = `/v1/messages?campaign=${campaign}`;
    const { text } = await app.ask('GET', path, { headers: { accept: 'application/x-ndjson, */*;q=0.1' } });
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(lines).toEqual((await app.get(path)).json.items);
  });

  it('holds everything that fits, not a page of it', async () => {
    const campaign = randomUUID();
    await fill(campaign, 1_201);
    const { text } = await app.ask('GET', `/v1/messages?campaign=${campaign}&limit=10`, { headers: { accept: 'text/csv' } });
    const found = parse<{ id: string }>(text, { columns: true }).map(({ id }) => id);
    expect([found.length, new Set(found).size]).toEqual([1_201, 1_201]);
  });

  it('reads no further while its reader rests, and stops when that is gone', async () => {
    const campaign = randomUUID();
    const [rows, noteCharacters] = [6_000, 4_000];
    await fill(campaign, rows, noteCharacters);
    const statements = countStatements(app);
    const asked = request(`${app.url}/v1/messages?campaign=${campaign}`, {
      headers: { authorization: `Bearer ${app.keys.desk}`, accept: 'application/x-ndjson' },
    }).end();
    const [answer] = (await once(asked, 'response')) as [NodeJS.ReadableStream];
    answer.pause();
    const whileResting = await statements.settled();
    // Two statements per page of 500; what was read is in the buffers of two sockets.
    expect(whileResting).toBeLessThan((2 * rows) / 500);
    asked.destroy();
    expect(await statements.settled()).toBeLessThanOrEqual(whileResting + 2);
    statements.stop();
    expect((await app.get('/health/live')).status).toBe(200);
  });
});

/** How often the console asks its database. */
function countStatements({ db }: ConsoleHarness) {
  const { lanes } = db.sql;
  const use = lanes.use.bind(lanes);
  let count = 0;
  let lastMs = performance.now();
  lanes.use = (work) => {
    count += 1;
    lastMs = performance.now();
    return use(work);
  };
  return {
    /** The number once none came for a while. */
    settled: async () => {
      await waitFor(() => performance.now() - lastMs > 500);
      return count;
    },
    stop: () => {
      lanes.use = use;
    },
  };
}
