import { randomPhone } from '@tickmark/testing';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createConsoleHarness, type ConsoleHarness } from '../fixtures/console-harness.ts';
import { addSender } from '../fixtures/operation-examples.ts';

let app: ConsoleHarness;
let one: Awaited<ReturnType<typeof addSender>>;
let other: typeof one;
beforeAll(async () => {
  app = await createConsoleHarness();
  [one, other] = [await addSender(app), await addSender(app)];
});
beforeEach(async () => {
  await app.db.sql`TRUNCATE suppressions, audit_log`;
});
afterAll(() => app.close());

const reason = 'they called';
const add = (body: object) => app.post('/v1/suppressions', { reason, ...body });
const remove = (query: Record<string, string>) => app.ask('DELETE', `/v1/suppressions?${new URLSearchParams(query)}`, { key: 'boss' });
const audit = () => app.db.sql`SELECT actor, action, reason, details FROM audit_log ORDER BY id`;

it('somebody is not written to by any sender, is listed with who said so, and is written to again', async () => {
  const phone = randomPhone();
  const added = await add({ recipient: phone });
  expect([added.status, added.json]).toEqual([200, { senders: [one.alias, other.alias], categories: ['all'], changed: 2 }]);
  const recipient = `whatsapp:${phone}`;
  const { json } = await app.get(`/v1/suppressions?recipient=${phone}&sender=${one.alias}`);
  const entry = { recipient, sender: one.alias, from: one.address, category: 'all', source: 'operator', reason, at: expect.any(String) };
  expect(json).toEqual({ items: [entry], nextCursor: null });
  expect((await remove({ recipient, reason: 'they wrote' })).json).toMatchObject({ lifted: 2, categories: ['all', 'marketing'] });
  expect((await app.get(`/v1/suppressions?recipient=${phone}`)).json.items).toEqual([]);
  expect((await remove({ recipient })).json).toMatchObject({ lifted: 0 });
  expect(await audit()).toMatchObject([
    { actor: 'boss', action: 'suppression_added', reason, details: { recipient, category: 'all', changed: 2 } },
    { actor: 'boss', action: 'suppression_removed', reason: 'they wrote' },
    { actor: 'boss', action: 'suppression_removed', reason: 'no reason given' },
  ]);
});

it('finds a Mexican number in both of its forms', async () => {
  const digits = randomPhone().slice(-10);
  await add({ recipient: `+52${digits}`, sender: one.alias });
  for (const form of [`+52${digits}`, `+521${digits}`])
    expect((await app.get(`/v1/suppressions?recipient=${form}`)).json.items).toHaveLength(1);
});

it('several people at once, of one sender and one category, are listed page by page', async () => {
  const recipients = Array.from({ length: 5 }, () => randomPhone());
  expect((await add({ recipients, sender: one.address, category: 'marketing' })).json).toMatchObject({ senders: [one.alias], changed: 5 });
  expect((await app.get('/v1/suppressions?category=all')).json.items).toEqual([]);
  const found: unknown[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const page = await app.get(`/v1/suppressions?limit=2${cursor && `&cursor=${cursor}`}`);
    found.push(...page.json.items.map((item) => (item as unknown as { recipient: string }).recipient));
    cursor = page.json.nextCursor;
  }
  expect(found.toSorted()).toEqual(recipients.map((phone) => `whatsapp:${phone}`).toSorted());
});

it.each([
  [{}, 'VALIDATION_FAILED'],
  [{ recipient: 'nobody' }, 'VALIDATION_FAILED'],
  [{ recipient: '+14155550100', recipients: ['+14155550100'] }, 'VALIDATION_FAILED'],
  [{ recipient: '+14155550100', reason: ' ' }, 'VALIDATION_FAILED'],
  [{ recipient: '+14155550100', category: 'service' }, 'VALIDATION_FAILED'],
  [{ recipient: '+14155550100', sender: 'nobody' }, 'UNKNOWN_SENDER'],
])('refuses %j', async (body, code) => {
  expect(await add(body)).toMatchObject({ status: 400, json: { error: { code } } });
  expect(await audit()).toEqual([]);
});
