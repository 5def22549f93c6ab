import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertAccepted, openStop, recordSuppressions } from '@tickmark/delivery';
import { retryMessageId, type AcceptedMessage } from '@tickmark/domain';
import { randomToken, waitFor } from '@tickmark/testing';
import { run } from '../apps/cli/src/fixtures/run.ts';
import { createConsoleHarness, type ConsoleHarness } from '../apps/console/src/fixtures/console-harness.ts';
import { createWorkerHarness, type WorkerHarness } from '../apps/worker/src/fixtures/worker-harness.ts';

/** What operators ask the console for, carried out by a worker: both real, over one database and one Redis. */
let worker: WorkerHarness;
let console: ConsoleHarness;
beforeAll(async () => {
  worker = await createWorkerHarness();
  const { gates, redis } = worker;
  console = await createConsoleHarness({ databaseUrl: gates.database.url, redisUrl: gates.redis.url, base: redis.base });
}, 60_000);
afterAll(async () => {
  await console.close();
  await worker.close();
});

const [PASSES, PERMANENT, HELD] = [63012, 21211, 63062];
const reason = 'the outage is over';

/** Answers of the actions, as far as tests look. */
interface Answer {
  taskId: string;
  retryId: string;
  matched: number;
  toSend: number;
  skipped: { id: string; why: string }[];
}

async function act(path: string, body: unknown): Promise<{ status: number; json: Answer; error: { code: string; message: string } }> {
  const { status, json } = await console.post(path, body);
  return { status, json: json as unknown as Answer, error: json.error as { code: string; message: string } };
}

interface TaskShown {
  state: string;
  result: Record<string, unknown>;
  progress: Record<string, unknown>;
  error: string | null;
}

async function ended(taskId: string): Promise<TaskShown> {
  return waitFor(async () => {
    const task = (await console.get(`/v1/tasks/${taskId}`)).json as unknown as TaskShown;
    return task.state === 'done' || task.state === 'failed' ? task : null;
  });
}

/** Messages that Twilio refused with a code, stored as workers leave them. */
async function insertFailed(count: number, campaign: string, errorCode = PASSES): Promise<AcceptedMessage[]> {
  const messages = Array.from({ length: count }, () => worker.message({ campaign, category: 'utility' }));
  await insertAccepted(worker.db, messages);
  await worker.db.sql`
    UPDATE whatsapp_messages SET status = 'failed', rank = 50, error_code = ${errorCode}, failed_at = now(), attempts = 1
    WHERE id = ANY (${messages.map(({ id }) => id)}::uuid[])`;
  return messages;
}

async function insertHeld(errorCode: number): Promise<string> {
  const message = worker.message();
  await insertAccepted(worker.db, [message]);
  await worker.db.sql`UPDATE whatsapp_messages SET status = 'held', error_code = ${errorCode} WHERE id = ${message.id}`;
  return message.id;
}

async function countRetries(campaign: string): Promise<number> {
  return (await worker.db.sql`SELECT 1 FROM whatsapp_messages WHERE campaign = ${campaign} AND retry_of IS NOT NULL`).length;
}

it('a release lets exactly those go on that were held for the code when it was asked for, and a dry run counts them', async () => {
  expect(await console.ask('PUT', `/v1/policies/${HELD}`, { key: 'boss', body: { action: 'hold', reason } })).toMatchObject({
    status: 200,
  });
  const held = [await insertHeld(HELD), await insertHeld(HELD)];
  const other = await insertHeld(PASSES);
  const path = `/v1/policies/${HELD}/release`;
  expect(await act(path, { dryRun: true })).toMatchObject({ status: 200, json: { matched: 2 } });
  expect((await console.get('/v1/policies')).json).toMatchObject({
    items: [{ code: HELD, action: 'hold', reason, updatedBy: 'boss' }],
    held: expect.arrayContaining([{ code: HELD, count: 2 }]),
  });
  // No worker runs yet: what is held from here on was not asked for.
  const { status, json } = await act(path, { reason });
  expect([status, json.matched]).toEqual([202, 2]);
  const later = await insertHeld(HELD);
  worker.start();
  expect(await ended(json.taskId)).toMatchObject({ state: 'done', result: { matched: 2, released: 2 } });
  for (const id of held) await waitFor(async () => (await worker.row(id))?.status === 'queued');
  for (const id of [other, later]) expect(await worker.row(id)).toMatchObject({ status: 'held' });
  expect(await worker.db.sql`SELECT DISTINCT actor, reason FROM audit_log WHERE action = 'held_released'`).toEqual([
    { actor: 'boss', reason },
  ]);
  expect(await console.ask('DELETE', `/v1/policies/${HELD}`, { key: 'boss' })).toMatchObject({ json: { deleted: true } });
});

describe('a bulk retry', () => {
  it('of 1,000 failed messages with 100 suppressed: the dry run says 900, 900 new rows, and further clicks add none', async () => {
    const failed = await insertFailed(1_000, 'spring');
    const suppressed = failed.slice(0, 100);
    await recordSuppressions(
      worker.db,
      suppressed.map(({ senderAddress, recipient }) => {
        const at = new Date().toISOString();
        return { senderAddress, recipient, category: 'all', suppressed: true, at, source: 'operator', reason: null };
      }),
    );
    // They are made and get their jobs, but sending them takes its time.
    await openStop(worker.db, { scope: 'campaign', target: 'spring', actor: 'ann', forMs: null });
    const filter = { campaign: 'spring', errorCode: PASSES };
    const listed = { matched: 1_000, toSend: 900, skipped: expect.any(Array), skippedCount: 100, complete: true };
    const dry = await act('/v1/messages/retry', { filter, dryRun: true });
    expect([dry.status, dry.json]).toEqual([200, listed]);
    expect(new Set(dry.json.skipped.map(({ id, why }) => `${id} ${why}`))).toEqual(new Set(suppressed.map(({ id }) => `${id} suppressed`)));
    expect(await countRetries('spring')).toBe(0);

    // The second click may come before the first one's task has run.
    const clicks = await Promise.all([1, 2].map(() => act('/v1/messages/retry', { filter, reason })));
    for (const click of clicks)
      expect([click.status, click.json]).toEqual([
        202,
        { ...listed, taskId: expect.any(String), toSend: expect.any(Number), skippedCount: expect.any(Number) },
      ]);
    expect(Math.max(...clicks.map(({ json }) => json.toSend))).toBe(900);
    const tasks = await Promise.all(clicks.map(({ json }) => ended(json.taskId)));
    expect(tasks.reduce((sum, { result }) => sum + Number(result['made']), 0)).toBe(900);
    expect(await countRetries('spring')).toBe(900);
    const third = await act('/v1/messages/retry', { filter, reason });
    expect(third.json).toMatchObject({ toSend: 0 });
    expect(await ended(third.json.taskId)).toMatchObject({ state: 'done', result: { made: 0 } });

    const audited = await worker.db.sql`SELECT DISTINCT actor, reason FROM audit_log WHERE action = 'message_retried'`;
    expect(audited).toEqual([{ actor: 'boss', reason }]);
  });

  it('skips what is a retry itself, so that the same filter writes to nobody again when retries failed too', async () => {
    const [failed] = await insertFailed(1, 'twice');
    await openStop(worker.db, { scope: 'campaign', target: 'twice', actor: 'ann', forMs: null });
    const click = () => act('/v1/messages/retry', { filter: { campaign: 'twice' }, force: true, reason });
    expect(await ended((await click()).json.taskId)).toMatchObject({ result: { made: 1 } });
    const retryId = retryMessageId(failed!.id);
    await worker.db.sql`UPDATE whatsapp_messages SET status = 'failed', rank = 50, error_code = ${PASSES} WHERE id = ${retryId}`;
    const again = await click();
    expect(again.json).toMatchObject({ matched: 2, toSend: 0, skipped: expect.arrayContaining([{ id: retryId, why: 'is_retry' }]) });
    expect(await ended(again.json.taskId)).toMatchObject({ result: { made: 0 } });
    expect((await act(`/v1/messages/${retryId}/retry`, { reason })).status).toBe(202);
  });

  it('makes no more than it was told to, and force takes what is permanent too', async () => {
    await insertFailed(3, 'autumn');
    const permanent = await insertFailed(2, 'autumn', PERMANENT);
    const filter = { campaign: 'autumn' };
    expect((await act('/v1/messages/retry', { filter, dryRun: true, maxCount: 2 })).json).toMatchObject({ toSend: 2, complete: false });
    const { json } = await act('/v1/messages/retry', { filter, dryRun: true });
    expect(json).toMatchObject({ matched: 5, toSend: 3 });
    expect(json.skipped).toEqual(expect.arrayContaining(permanent.map(({ id }) => ({ id, why: 'permanent' }))));
    expect((await act('/v1/messages/retry', { filter, dryRun: true, force: true })).json).toMatchObject({ toSend: 5, skipped: [] });
  });

  it.each([
    [{ filter: {}, reason }, 'filter'],
    [{ filter: { status: 'failed' }, reason }, 'filter'],
    [{ filter: { campaign: 'spring' } }, 'reason'],
    [{ filter: { campaign: 'spring' }, reason, maxCount: 10_001 }, 'maxCount'],
    [{ filter: { colour: 'red' }, reason }, 'filter'],
    [{ filter: { to: 'nobody' }, reason }, 'filter.to'],
  ])('refuses %j and names what to correct', async (body, path) => {
    const { status, error } = await act('/v1/messages/retry', body);
    expect([status, error.code]).toEqual([400, 'VALIDATION_FAILED']);
    expect(JSON.stringify(error)).toContain(`"path":"${path}`);
  });
});

describe('a single retry', () => {
  it('is sent as a new message, and refused with what to do when there is nothing to retry', async () => {
    const [failed, permanent] = [(await insertFailed(1, 'single'))[0]!, (await insertFailed(1, 'single', PERMANENT))[0]!];
    const { status, json } = await act(`/v1/messages/${failed.id}/retry`, { reason });
    expect([status, json]).toEqual([202, { taskId: expect.any(String), retryId: retryMessageId(failed.id) }]);
    expect(await ended(json.taskId)).toMatchObject({ state: 'done', result: { made: 1 } });
    await waitFor(async () => (await worker.row(json.retryId))?.status === 'queued');
    expect((await console.get(`/v1/messages/${failed.id}`)).json).toMatchObject({ retriedBy: json.retryId });
    expect((await console.get(`/v1/messages/${json.retryId}`)).json.timeline[0]).toMatchObject({ status: 'accepted', source: 'boss' });
    const again = await act(`/v1/messages/${failed.id}/retry`, { reason });
    expect(again).toMatchObject({ status: 409, error: { code: 'MESSAGE_NOT_RETRYABLE', details: { why: 'already_retried' } } });
    const refused = await act(`/v1/messages/${permanent.id}/retry`, { reason });
    expect(refused).toMatchObject({ status: 409, error: { message: expect.stringContaining('force'), details: { why: 'permanent' } } });
    expect((await act(`/v1/messages/${permanent.id}/retry`, { reason, force: true })).status).toBe(202);
    const missing = await act(`/v1/messages/SM${randomToken()}/retry`, {});
    expect(missing).toMatchObject({ status: 404, error: { code: 'MESSAGE_NOT_FOUND' } });
  });
});

describe('a message of unknown outcome', () => {
  const insertUnknown = async () => {
    const message = worker.message();
    await insertAccepted(worker.db, [message]);
    await worker.db.sql`
      UPDATE whatsapp_messages SET status = 'unknown', attempts = 1, claim_token = gen_random_uuid(), claimed_at = now() - interval '6 minutes'
      WHERE id = ${message.id}`;
    return message.id;
  };

  it('is closed, adopted or resent as a person decides', async () => {
    const [closed, adopted, resent] = [await insertUnknown(), await insertUnknown(), await insertUnknown()];
    await worker.db.sql`INSERT INTO outcome_searches (message_id, attempt, looks, absences) VALUES (${resent}, 1, 2, 2)`;
    const messageSid = `SM${'0123456789abcdef'.repeat(2)}`;
    const decisions = [
      [closed, { action: 'close', reason }, 'failed'],
      [adopted, { action: 'adopt', messageSid, reason }, 'queued'],
      [resent, { action: 'resend', reason }, 'queued'],
    ] as const;
    for (const [id, decision, status] of decisions) {
      const { json } = await act(`/v1/messages/${id}/resolve`, decision);
      expect(await ended(json.taskId)).toMatchObject({ state: 'done', result: { id, action: decision.action } });
      await waitFor(async () => (await worker.row(id))?.status === status);
    }
    const taken = await act(`/v1/messages/${await insertUnknown()}/resolve`, { action: 'adopt', messageSid, reason });
    expect(await ended(taken.json.taskId)).toMatchObject({ state: 'failed', error: expect.stringContaining('another message') });
  });

  it('is refused at once what cannot be done with it', async () => {
    const unknown = await insertUnknown();
    const [failed] = await insertFailed(1, 'resolve');
    const close = { action: 'close', reason };
    const why = (error: string) => ({ status: 409, error: { code: 'MESSAGE_NOT_RESOLVABLE', details: { why: error } } });
    expect(await act(`/v1/messages/${failed?.id}/resolve`, close)).toMatchObject(why('not_unknown'));
    expect(await act(`/v1/messages/${unknown}/resolve`, { action: 'resend', reason })).toMatchObject(why('not_absent'));
    await worker.db.sql`UPDATE whatsapp_messages SET claimed_at = now() WHERE id = ${unknown}`;
    expect(await act(`/v1/messages/${unknown}/resolve`, close)).toMatchObject(why('too_young'));
    expect(await act('/v1/messages/nonsense/resolve', close)).toMatchObject({ status: 404 });
    expect(await act(`/v1/messages/${unknown}/resolve`, { action: 'adopt', reason })).toMatchObject({ status: 400 });
    expect(await act(`/v1/messages/${unknown}/resolve`, { action: 'close' })).toMatchObject({ status: 400 });
  });
});

describe('on the command line', () => {
  const tickmark = (...args: string[]) => run(args, { TICKMARK_CONSOLE_URL: console.url, TICKMARK_API_KEY: console.keys.boss });

  it('tickmark retry sends one message again, or all that a filter means, and follows the task', async () => {
    const [one, two, permanent] = [...(await insertFailed(2, 'cli')), ...(await insertFailed(1, 'cli', PERMANENT))];
    const dry = await tickmark('retry', '--campaign', 'cli', '--error-code', String(PASSES), String(PERMANENT), '--dry-run');
    expect(dry).toMatchObject({ code: 0, err: '', out: expect.stringContaining('2 of 3 messages would be sent again, 1 are skipped') });
    expect(dry.out).toContain(`${permanent?.id}  permanent`);
    const single = await tickmark('retry', one!.id, '--reason', reason, '--json');
    expect(single).toMatchObject({ code: 0, err: expect.stringMatching(/: queued\n.*: done, .*made 1/s) });
    expect(JSON.parse(single.out)).toMatchObject({ retryId: retryMessageId(one!.id), made: 1 });
    const many = await tickmark('retry', '--campaign', 'cli', '--reason', reason, '--json');
    expect(JSON.parse(many.out)).toMatchObject({ matched: 3, toSend: 1, result: { made: 1 } });
    expect(await worker.row(retryMessageId(two!.id))).toBeDefined();
    expect(await tickmark('retry', permanent!.id, '--reason', reason)).toMatchObject({ code: 1, err: expect.stringContaining('force') });
  });

  it('tickmark retry fails and says why when the task finds that it must not be sent after all', async () => {
    const [failed] = await insertFailed(1, 'late');
    // Between the look of the console and the task: that waits for the row, and finds it changed.
    const retrying = await worker.db.sql.begin(async (tx) => {
      await tx`UPDATE whatsapp_messages SET contradicted = true WHERE id = ${failed!.id}`;
      const asked = tickmark('retry', failed!.id, '--reason', reason);
      await waitFor(async () => (await worker.db.sql`SELECT 1 FROM tasks WHERE state = 'running'`).length > 0);
      return { asked };
    });
    expect(await retrying.asked).toMatchObject({ code: 1, out: '', err: expect.stringContaining('was not sent again: contradicted') });
  });

  it('tickmark release lets held messages go on', async () => {
    const id = await insertHeld(HELD + 1);
    expect(await tickmark('release', String(HELD + 1), '--dry-run')).toMatchObject({
      code: 0,
      out: expect.stringContaining('1 messages are held'),
    });
    const released = await tickmark('release', String(HELD + 1), '--reason', reason);
    expect(released).toMatchObject({ code: 0, out: expect.stringContaining('1 of 1 messages wait') });
    expect(await worker.row(id)).not.toMatchObject({ status: 'held' });
  });

  it.each([
    [['retry'], 'filter'],
    [['retry', 'x', '--campaign', 'y', '--reason', 'z'], 'do not go with an id'],
    [['retry', '--campaign', 'y'], '--reason'],
    [['retry', '--campaign', 'y', '--max-count', 'many', '--reason', 'z'], 'number'],
    [['release', 'all', '--reason', 'z'], 'number'],
    [['release', '63016'], '--reason'],
  ])('%j is a usage error', async (args, complaint) => {
    expect(await tickmark(...args)).toMatchObject({ code: 2, err: expect.stringContaining(complaint) });
  });

  it('says which option is wrong when the console does', async () => {
    const wrong = await tickmark('retry', '--to', 'nobody', '--dry-run');
    expect(wrong).toMatchObject({ code: 1, err: expect.stringContaining('filter.to') });
  });
});
