import { afterAll, beforeAll, expect, it } from 'vitest';
import { createConsoleHarness, type ConsoleHarness } from '../fixtures/console-harness.ts';

let app: ConsoleHarness;
beforeAll(async () => {
  app = await createConsoleHarness();
});
afterAll(() => app.close());

it.each([{}, { status: ['failed'] }])('a dry run takes %j as its filter, and the same in earnest says what to add', async (filter) => {
  expect(await app.post('/v1/messages/retry', { filter, dryRun: true })).toMatchObject({ status: 200, json: { toSend: 0 } });
  const refused = await app.post('/v1/messages/retry', { filter, reason: 'it is over' });
  expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('add to filter at least one of to, from, errorCode')]);
});
