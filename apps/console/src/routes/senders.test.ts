import { afterAll, beforeAll, expect, it } from 'vitest';
import { createConsoleHarness, type ConsoleHarness } from '../fixtures/console-harness.ts';
import { addSender } from '../fixtures/operation-examples.ts';

let app: ConsoleHarness;
beforeAll(async () => {
  app = await createConsoleHarness();
});
afterAll(() => app.close());

it('a sender is slowed down and paused, and the audit log says by whom and why', async () => {
  const { alias, address } = await addSender(app);
  const paused = await app.post(`/v1/senders/${alias}`, { mps: 2.5, state: 'paused', reason: 'complaints' });
  expect([paused.status, paused.json]).toEqual([200, { alias, address, mps: 2.5, state: 'paused' }]);
  expect((await app.get('/v1/senders')).json.items).toContainEqual({ alias, address, mps: 2.5, state: 'paused' });
  await app.post(`/v1/senders/${alias}`, { state: 'paused' });
  expect((await app.post(`/v1/senders/${alias}`, { state: 'active' })).json).toMatchObject({ mps: 2.5, state: 'active' });
  const entries = await app.db.sql`SELECT actor, reason, details FROM audit_log WHERE action = 'sender_changed' ORDER BY id`;
  const details = { sender: alias, mps: 2.5, mpsBefore: 80, state: 'paused', stateBefore: 'active' };
  expect(entries).toMatchObject([
    { actor: 'boss', reason: 'complaints', details },
    { actor: 'boss', reason: null, details: { ...details, mpsBefore: 2.5, state: 'active', stateBefore: 'paused' } },
  ]);
});

it.each([{}, { mps: 0 }, { mps: '5' }, { state: 'asleep' }, { reason: 'nothing to change' }, { mps: 1, alias: 'other' }])(
  'refuses %j',
  async (body) => {
    const { alias } = await addSender(app);
    expect(await app.post(`/v1/senders/${alias}`, body)).toMatchObject({ status: 400, json: { error: { code: 'VALIDATION_FAILED' } } });
  },
);

it('answers 404 for an alias that is none', async () => {
  expect(await app.post('/v1/senders/nobody', { mps: 1 })).toMatchObject({ status: 404, json: { error: { code: 'NOT_FOUND' } } });
});
