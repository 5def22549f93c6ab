import { userInfo } from 'node:os';
import { insertDeadLetter } from '@tickmark/delivery';
import { randomPhone, statusEvent, acceptedMessage } from '@tickmark/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openCliDatabase, type CliDatabase } from '../fixtures/cli-database.ts';
import { run } from '../fixtures/run.ts';

let { db, env, close } = {} as CliDatabase;
beforeAll(async () => {
  ({ db, env, close } = await openCliDatabase());
});
afterEach(async () => {
  for (const table of ['dead_letters', 'audit_log']) await db.sql`DELETE FROM ${db.sql(table)}`;
});
afterAll(() => close());

let made = 0;
async function keep(queue: string, payload: unknown = statusEvent(), reason = 'value out of range'): Promise<string> {
  const jobId = `job/${(made += 1)}`;
  await insertDeadLetter(db, { queue, jobId, payload, reason });
  const [row] = await db.sql`SELECT id FROM dead_letters WHERE job_id = ${jobId}`;
  return String(row?.['id']);
}

const requested = async () =>
  (await db.sql`SELECT id FROM dead_letters WHERE retry_requested_at IS NOT NULL ORDER BY id`).map((row) => String(row['id']));
const audit = () => db.sql`SELECT actor, action, reason, details FROM audit_log ORDER BY id`;

describe('tickmark dead-letters', () => {
  it('lists them with the reason and what they are about, and says what to do next', async () => {
    const [message, status] = [acceptedMessage(), statusEvent({ to: `whatsapp:${randomPhone()}` })];
    const first = await keep('intake', message, `no such sender as ${message.senderAddress}`);
    const second = await keep('status-callback', status);
    const { code, out, err } = await run(['dead-letters'], env);
    expect(code).toBe(0);
    expect(out.split('\n')).toMatchObject([
      expect.stringMatching(new RegExp(`^${first}  intake  .*${message.id}`)),
      '  no such sender as whatsapp:+…',
      expect.stringMatching(new RegExp(`^${second}  status-callback  .*${status.messageSid}`)),
      '  value out of range',
      '',
    ]);
    expect(err).toContain('tickmark dead-letters retry');
    for (const secret of [message.body, message.recipient, status.to]) expect(out).not.toContain(secret);
  });

  it('lists those of one queue as JSON, without what they hold', async () => {
    await keep('intake', acceptedMessage());
    const id = await keep('inbound', { messageSid: 'SM1', body: 'private' });
    const { out } = await run(['dead-letters', 'list', '--queue', 'inbound', '--json'], env);
    const keptAt = expect.stringMatching(/Z$/);
    expect(JSON.parse(out)).toEqual([
      {
        id: Number(id),
        queue: 'inbound',
        keptAt,
        reason: 'value out of range',
        messageId: null,
        messageSid: 'SM1',
        retryRequestedAt: null,
      },
    ]);
  });

  it('says so when there are none', async () => {
    expect(await run(['dead-letters', '--json'], env)).toMatchObject({
      code: 0,
      out: '[]\n',
      err: expect.stringContaining('no dead letters'),
    });
  });
});

describe('tickmark dead-letters retry', () => {
  it('asks for another try of those that are named, audited, and says what follows', async () => {
    const [first, second] = [await keep('intake'), await keep('intake')];
    const { code, out } = await run(['dead-letters', 'retry', first, '--reason', 'column widened'], env);
    expect({ code, out }).toEqual({ code: 0, out: expect.stringMatching(/^1 dead letter will be tried again.*kept again/) });
    expect(await requested()).toEqual([first]);
    const details = { letters: 1, first: Number(first), last: Number(first), queue: null };
    expect(await audit()).toEqual([{ actor: userInfo().username, action: 'dead_letters_retried', reason: 'column widened', details }]);
    expect((await run(['dead-letters'], env)).out).toMatch(new RegExp(`${first} .*tried again as soon.*\\n.*\\n${second} `));
  });

  it('asks for all of a queue, or all', async () => {
    const [first, second] = [await keep('intake'), await keep('inbound')];
    const one = await run(['dead-letters', 'retry', '--all', '--queue', 'inbound', '--reason', 'x', '--by', 'ann', '--json'], env);
    expect(JSON.parse(one.out)).toEqual({ action: 'retry', ids: [Number(second)] });
    await run(['dead-letters', 'retry', '--all', '--reason', 'x'], env);
    expect(await requested()).toEqual([first, second]);
  });

  it('exits 1 when none of them is there', async () => {
    const { code, err } = await run(['dead-letters', 'retry', '999999', '--reason', 'x'], env);
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('999999') });
  });
});

it('tickmark dead-letters discard deletes for good, audited', async () => {
  const [first, second] = [await keep('intake'), await keep('intake')];
  const { code, out, err } = await run(['dead-letters', 'discard', first, '999999', '--reason', 'sent by hand', '--by', 'ann'], env);
  expect({ code, out }).toEqual({ code: 0, out: '1 dead letter discarded for good.\n' });
  expect(err).toContain('999999');
  expect((await db.sql`SELECT id FROM dead_letters`).map((row) => String(row['id']))).toEqual([second]);
  expect(await audit()).toMatchObject([{ actor: 'ann', action: 'dead_letters_discarded', reason: 'sent by hand' }]);
});

it.each([
  [['retry'], 'say which'],
  [['retry', '1', '--all', '--reason', 'x'], 'say which'],
  [['retry', '1'], '--reason'],
  [['retry', 'one', '--reason', 'x'], 'number'],
  [['list', '1'], 'leave them out'],
  [['--queue', 'send-support'], 'no queue'],
])('dead-letters %s is refused with its usage', async (args, complaint) => {
  expect(await run(['dead-letters', ...args], env)).toMatchObject({ code: 2, out: '', err: expect.stringContaining(complaint) });
});
