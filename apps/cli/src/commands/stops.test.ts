import { randomUUID } from 'node:crypto';
import { userInfo } from 'node:os';
import { claimForSending, insertAccepted, listStops, openBreaker, seedSenders, type StopTarget } from '@tickmark/delivery';
import type { AcceptedMessage } from '@tickmark/domain';
import { acceptedMessage, freePort, randomPhone, waitFor } from '@tickmark/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openCliDatabase, type CliDatabase } from '../fixtures/cli-database.ts';
import { run } from '../fixtures/run.ts';

const TEMPLATE = `HX${'a1'.repeat(16)}`;

let { db, env, close } = {} as CliDatabase;
beforeAll(async () => {
  ({ db, env, close } = await openCliDatabase());
  await seedSenders(db, [{ alias: 'support', address: `whatsapp:${randomPhone()}`, mps: 80 }]);
});
afterEach(async () => {
  for (const table of ['send_stops', 'audit_log', 'whatsapp_messages']) await db.sql`DELETE FROM ${db.sql(table)}`;
});
afterAll(() => close());

const targets = async () => (await listStops(db)).map(({ scope, target, source }) => `${source} ${scope} ${target}`);
const openFor = (target: StopTarget) => openBreaker(db, { ...target, errorCode: 63007, reason: 'broken', pause: null });
const audit = () => db.sql`SELECT actor, action, reason, details FROM audit_log ORDER BY id`;

async function insertMessage(values: Partial<AcceptedMessage> = {}): Promise<string> {
  const message = acceptedMessage(values);
  await insertAccepted(db, [message]);
  return message.id;
}

const claim = async (id: string) => {
  const [answer] = await claimForSending(db, [{ id, token: randomUUID() }], { account: '0123456789abcdef', windowGuard: 'off' });
  return answer?.ok === true ? answer.value.kind : answer?.error;
};

describe('tickmark pause', () => {
  it.each([
    [['all'], 'operator all *'],
    [['sender', 'support'], 'operator sender support'],
    [['campaign', 'spring sale'], 'operator campaign spring sale'],
    [['template', TEMPLATE], `operator template ${TEMPLATE}`],
  ])('%s stops it and says so when nothing of it can leave any more', async (args, expected) => {
    const id = await insertMessage({ campaign: 'spring sale', contentSid: TEMPLATE });
    const { code, out, err } = await run(['pause', ...args, '--reason', 'wrong text'], env);
    expect({ code, out }).toEqual({ code: 0, out: expect.stringMatching(/^Paused .*nothing of it leaves any more\.\n$/) });
    expect(err).toContain('waiting');
    expect(await targets()).toEqual([expected]);
    expect(await claim(id)).toMatch(/stopped|parked/);
  });

  it('waits for the calls that are under way', async () => {
    const id = await insertMessage({ campaign: 'spring' });
    expect(await claim(id)).toBe('claimed');
    let acknowledged = false;
    const pausing = run(['pause', 'campaign', 'spring', '--reason', 'x', '--json'], env).finally(() => (acknowledged = true));
    // It has looked for calls, found this one, and looks again.
    const looks = () =>
      db.sql`SELECT FROM pg_stat_activity WHERE application_name = 'tickmark-cli' AND query LIKE '%open_status = ''sending''%'`;
    await waitFor(async () => (await looks()).length > 0);
    expect(acknowledged).toBe(false);
    await db.sql`UPDATE whatsapp_messages SET status = 'unknown' WHERE id = ${id}`;
    expect(JSON.parse((await pausing).out)).toEqual({
      scope: 'campaign',
      target: 'spring',
      state: 'paused',
      opened: true,
      provenBy: 'sight',
      waitedMs: expect.any(Number),
    });
  });

  it('is written down with who and why: the user of the system, or the name that was given', async () => {
    await run(['pause', 'all', '--reason', 'fire drill'], env);
    await run(['resume', 'all', '--reason', 'over', '--by', 'ann'], env);
    const details = { scope: 'all', target: '*', source: 'operator' };
    expect(await audit()).toEqual([
      { actor: userInfo().username, action: 'stop_opened', reason: 'fire drill', details },
      { actor: 'ann', action: 'stop_ended', reason: 'over', details },
    ]);
  });

  it('may be repeated, and says that it was stopped already', async () => {
    await run(['pause', 'all', '--reason', 'x'], env);
    const again = await run(['pause', 'all', '--reason', 'x', '--json'], env);
    expect(JSON.parse(again.out)).toMatchObject({ state: 'paused', opened: false });
    expect(again.err).toContain('already');
    expect(await targets()).toHaveLength(1);
  });

  it('exits 1 for a sender that does not exist, names those that do, and stops nothing', async () => {
    const { code, out, err } = await run(['pause', 'sender', 'suport', '--reason', 'x'], env);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain('support');
    expect(await targets()).toEqual([]);
  });
});

describe('tickmark resume', () => {
  it('ends the stop and the breakers of its target, and lets parked messages be due', async () => {
    const id = await insertMessage({ campaign: 'spring' });
    await run(['pause', 'campaign', 'spring', '--reason', 'x'], env);
    await openFor({ scope: 'campaign', target: 'spring' });
    await openFor({ scope: 'sender', target: 'support' });
    expect(await claim(id)).toBe('stopped');
    await db.sql`UPDATE whatsapp_messages SET due_at = 'infinity' WHERE id = ${id}`;
    const { code, out } = await run(['resume', 'campaign', 'spring', '--reason', 'mended', '--json'], env);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({
      scope: 'campaign',
      target: 'spring',
      state: 'active',
      ended: { operator: true, breakers: 1 },
      unparked: 1,
    });
    expect(await targets()).toEqual(['breaker sender support']);
  });

  it('names what is stopped when nothing had stopped its target', async () => {
    await run(['pause', 'campaign', 'autumn', '--reason', 'x'], env);
    const { out, err } = await run(['resume', 'campaign', 'autmn', '--reason', 'x'], env);
    expect({ out, err }).toEqual({ out: 'Nothing had stopped campaign "autmn".\n', err: 'Stopped are: campaign "autumn".\n' });
  });

  it('of all ends the breakers of accounts too', async () => {
    await openFor({ scope: 'account', target: '0123456789abcdef' });
    const { out } = await run(['resume', 'all', '--reason', 'paid'], env);
    expect(out).toBe('Resumed all sending, its circuit breaker closed.\n');
    expect(await targets()).toEqual([]);
  });

  it('says what else keeps the target from sending', async () => {
    await run(['pause', 'all', '--reason', 'x'], env);
    await db.sql`UPDATE senders SET state = 'paused'`;
    const { code, out, err } = await run(['resume', 'sender', 'support', '--reason', 'x'], env);
    expect({ code, out }).toEqual({ code: 0, out: 'Nothing had stopped sender "support".\n' });
    expect(err).toMatch(/state of sender "support".*\n.*tickmark resume all/);
    await db.sql`UPDATE senders SET state = 'active'`;
  });
});

describe('tickmark resume of one thing while the breaker of an account is open', () => {
  it('says that it may be of credentials that nobody uses any more, and how to be sure', async () => {
    await openFor({ scope: 'account', target: '0123456789abcdef' });
    const { err } = await run(['resume', 'sender', 'support', '--reason', 'x'], env);
    expect(err).toMatch(/may be stopped.*credentials.*tickmark resume all/);
    expect(err).not.toContain('All sending is');
  });
});

describe('tickmark pause --list', () => {
  it('shows what is stopped, since when, and by whom or by which error code', async () => {
    await run(['pause', 'campaign', 'spring', '--reason', 'wrong text', '--by', 'ann'], env);
    await db.sql`
      INSERT INTO send_stops (scope, target, source, error_code, actor, level, opened_at, until)
      VALUES ('sender', 'support', 'breaker', 63018, 'system', 1, now(), now() + interval '1 minute')`;
    const { code, out } = await run(['pause', '--list'], env);
    expect(code).toBe(0);
    expect(out).toMatch(/^campaign "spring" {2}since \S+Z {2}until it is resumed or repaired {2}ann: wrong text$/m);
    expect(out).toMatch(/^sender "support" {2}since \S+Z {2}until \S+Z {2}circuit breaker, error 63018$/m);
    const stops = JSON.parse((await run(['pause', '--list', '--json'], env)).out) as unknown;
    expect(stops).toMatchObject([
      { target: 'spring', actor: 'ann' },
      { target: 'support', errorCode: 63018 },
    ]);
  });

  it('shows the senders that wait for their state as well', async () => {
    await db.sql`UPDATE senders SET state = 'paused' WHERE alias = 'support'`;
    const { out, err } = await run(['pause', '--list'], env);
    const listed = JSON.parse((await run(['pause', '--list', '--json'], env)).out) as unknown;
    await db.sql`UPDATE senders SET state = 'active'`;
    expect([out, err]).toEqual([expect.stringMatching(/^sender "support" {2}.*state.*paused/), '']);
    expect(listed).toEqual([{ scope: 'sender', target: 'support', source: 'state' }]);
  });

  it('says so when nothing is', async () => {
    expect(await run(['pause', '--list'], env)).toEqual({ code: 0, out: '', err: 'Nothing is stopped.\n' });
  });
});

describe('both', () => {
  it.each([
    ['no scope', ['pause', '--reason', 'x']],
    ['an unknown scope', ['pause', 'phone', 'x', '--reason', 'x']],
    ['no target', ['resume', 'campaign', '--reason', 'x']],
    ['a target of all', ['pause', 'all', 'spring', '--reason', 'x']],
    ['a template that is no content sid', ['pause', 'template', 'welcome', '--reason', 'x']],
    ['no reason', ['resume', 'all']],
    ['a scope with --list', ['pause', 'all', '--list']],
  ])('exit 2 for %s', async (_name, args) => {
    const { code, out, err } = await run(args, env);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(/error: /);
  });

  it('exit 1 and say what to check when no database answers', async () => {
    const url = `postgres://tickmark:not-to-be-seen@127.0.0.1:${await freePort()}/tickmark`;
    const { code, out, err } = await run(['pause', 'all', '--reason', 'x', '--json'], { DATABASE_URL: url });
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(JSON.parse(err)).toEqual({ error: { code: 'STORE_UNAVAILABLE', message: expect.stringContaining('DATABASE_URL') } });
  });
});
