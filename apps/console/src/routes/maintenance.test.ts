import { getTask } from '@tickmark/delivery';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createConsoleHarness, type ConsoleHarness } from '../fixtures/console-harness.ts';

let app: ConsoleHarness;
beforeAll(async () => {
  app = await createConsoleHarness();
});
afterAll(() => app.close());

async function post(path: string, body: unknown, key: keyof ConsoleHarness['keys'] = 'boss') {
  const headers = { authorization: `Bearer ${app.keys[key]}`, 'content-type': 'application/json' };
  const response = await fetch(app.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: response.status, json: (await response.json()) as { taskId: string; error: { code: string } } };
}

it('a cleanup becomes a task of the key that asked', async () => {
  const { status, json } = await post('/v1/maintenance/cleanup', { dryRun: true });
  expect(status).toBe(202);
  expect(await getTask(app.db, json.taskId)).toMatchObject({
    kind: 'cleanup',
    state: 'queued',
    input: { dryRun: true, reason: null },
    requestedBy: 'boss',
  });
});

it('a cleanup needs no body, and looking for a person no reason', async () => {
  const cleanup = await app.ask('POST', '/v1/maintenance/cleanup', { key: 'boss' });
  expect(cleanup.status).toBe(202);
  expect((await getTask(app.db, (cleanup.json as unknown as { taskId: string }).taskId))?.input).toEqual({ dryRun: false, reason: null });
  expect(await post('/v1/maintenance/erase', { phone: '+14155550100', dryRun: true })).toMatchObject({ status: 202 });
});

it.each([
  [{ phone: 'nonsense', reason: 'they asked' }, 'phone'],
  [{ phone: '+14155550100' }, 'reason'],
  [{ phone: '+14155550100', reason: ' ' }, 'reason'],
])('an erasure of %j is refused, and says what to correct', async (body, path) => {
  const { status, json } = await post('/v1/maintenance/erase', body);
  expect([status, JSON.stringify(json)]).toEqual([400, expect.stringContaining(`"path":"${path}"`)]);
});

it('what is not understood is refused, and so are keys without the scope admin', async () => {
  expect(await post('/v1/maintenance/cleanup', { days: 1 })).toMatchObject({ status: 400, json: { error: { code: 'VALIDATION_FAILED' } } });
  expect(await post('/v1/maintenance/cleanup', {}, 'desk')).toMatchObject({ status: 403, json: { error: { code: 'FORBIDDEN_SCOPE' } } });
});
