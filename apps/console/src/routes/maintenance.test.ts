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

it('what is not understood is refused, and so are keys without the scope admin', async () => {
  expect(await post('/v1/maintenance/cleanup', { days: 1 })).toMatchObject({ status: 400, json: { error: { code: 'VALIDATION_FAILED' } } });
  expect(await post('/v1/maintenance/cleanup', {}, 'desk')).toMatchObject({ status: 403, json: { error: { code: 'FORBIDDEN_SCOPE' } } });
});
