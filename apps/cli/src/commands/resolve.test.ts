import { randomUUID } from 'node:crypto';
import { userInfo } from 'node:os';
import { claimForSending, insertAccepted, recordLooks, recordOutcome } from '@tickmark/delivery';
import type { ListedMessage } from '@tickmark/domain';
import { acceptedMessage, randomSid } from '@tickmark/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openCliDatabase, type CliDatabase } from '../fixtures/cli-database.ts';
import { run } from '../fixtures/run.ts';

let { db, env, close } = {} as CliDatabase;
beforeAll(async () => {
  ({ db, env, close } = await openCliDatabase());
});
afterEach(async () => {
  for (const table of ['outcome_searches', 'audit_log', 'message_attempts', 'whatsapp_messages'])
    await db.sql`DELETE FROM ${db.sql(table)}`;
});
afterAll(() => close());

const statusOf = async (id: string) => (await db.sql`SELECT status, message_sid FROM whatsapp_messages WHERE id = ${id}`)[0];
const audit = (id: string) => db.sql`SELECT actor, action, reason FROM audit_log WHERE message_id = ${id}`;

const listed = (messageSid: string): ListedMessage => ({
  messageSid,
  rawStatus: 'sent',
  errorCode: null,
  contentSha256: 'f'.repeat(64),
  from: null,
  messagingServiceSid: null,
  createdAt: new Date(),
  direction: 'outbound-api',
});

/** A message whose only call brought no answer, so many seconds ago, and of which so many looks proved that it was not created. */
async function unknownMessage({ ageSeconds = 301, absences = 0, candidates = [] as string[] } = {}): Promise<string> {
  const message = acceptedMessage();
  const { id } = message;
  await insertAccepted(db, [message]);
  const token = randomUUID();
  await claimForSending(db, [{ id, token }], { account: '0123456789abcdef', windowGuard: 'off' });
  const outcome = { kind: 'unknown', reason: 'timeout', httpStatus: null, errorCode: null, requestId: null } as const;
  const [recorded] = await recordOutcome(db, [{ id, attempt: 1, token, outcome }]);
  expect(recorded).toMatchObject({ ok: true });
  await db.sql`UPDATE whatsapp_messages SET claimed_at = now() - ${ageSeconds} * interval '1 second' WHERE id = ${id}`;
  for (let looksBefore = 0; looksBefore < absences; looksBefore += 1) {
    await recordLooks(db, [{ id, attempt: 1, looksBefore, kind: 'absent', candidates: [] }]);
  }
  if (candidates.length > 0)
    await recordLooks(db, [{ id, attempt: 1, looksBefore: absences, kind: 'ambiguous', candidates: candidates.map(listed) }]);
  return id;
}

describe('tickmark resolve --list', () => {
  it('shows the oldest first, with what was found of each and what it could be', async () => {
    const sid = randomSid();
    const younger = await unknownMessage({ ageSeconds: 60 });
    const older = await unknownMessage({ ageSeconds: 400, candidates: [sid] });
    const { code, out } = await run(['resolve', '--list'], env);
    expect(code).toBe(0);
    expect(out.indexOf(older)).toBeLessThan(out.indexOf(younger));
    expect(out).toContain(`could be ${sid}`);
    expect(out.slice(out.indexOf(younger))).toContain('younger than five minutes');
    const answer = JSON.parse((await run(['resolve', '--list', '--json'], env)).out);
    expect(answer).toMatchObject([
      { id: older, candidates: [{ sid }], resolvable: true },
      { id: younger, resolvable: false },
    ]);
  });

  it('says so when there is none', async () => {
    expect(await run(['resolve', '--list'], env)).toEqual({ code: 0, out: '', err: 'No message has an unknown outcome.\n' });
  });
});

describe('tickmark resolve', () => {
  it('adopt gives the message its sid, and writes down who and why', async () => {
    const id = await unknownMessage();
    const sid = randomSid();
    const { code, out } = await run(['resolve', id, 'adopt', '--sid', sid, '--reason', 'seen at Twilio', '--json'], env);
    expect({ code, answer: JSON.parse(out) }).toEqual({ code: 0, answer: { id, action: 'adopt', status: 'queued' } });
    expect(await statusOf(id)).toEqual({ status: 'queued', message_sid: sid });
    expect(await audit(id)).toEqual([{ actor: userInfo().username, action: 'sid_adopted', reason: 'seen at Twilio' }]);
  });

  it('adopt refuses a sid that another message has', async () => {
    const [first, second] = [await unknownMessage(), await unknownMessage()];
    const sid = randomSid();
    await run(['resolve', first, 'adopt', '--sid', sid, '--reason', 'x'], env);
    const { code, err } = await run(['resolve', second, 'adopt', '--sid', sid, '--reason', 'x'], env);
    expect(code).toBe(1);
    expect(err).toContain('another message');
    expect(await statusOf(second)).toEqual({ status: 'unknown', message_sid: null });
  });

  it('resend lets it wait again when two looks proved that it was not created', async () => {
    const id = await unknownMessage({ absences: 2 });
    const { code, out } = await run(['resolve', id, 'resend', '--reason', 'absent', '--by', 'ann'], env);
    expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining('once more') });
    expect(await statusOf(id)).toEqual({ status: 'retrying', message_sid: null });
    expect(await audit(id)).toEqual([{ actor: 'ann', action: 'unknown_resent', reason: 'absent' }]);
  });

  it('resend refuses what is not proven absent, and says what to do', async () => {
    const id = await unknownMessage({ absences: 1 });
    const { code, out, err } = await run(['resolve', id, 'resend', '--reason', 'x', '--json'], env);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(JSON.parse(err)).toEqual({
      error: { code: 'ABSENCE_UNPROVEN', message: expect.stringMatching(/1 of the 2 looks.*adopt.*close/) },
    });
    expect(await statusOf(id)).toEqual({ status: 'unknown', message_sid: null });
  });

  it('close gives it up', async () => {
    const id = await unknownMessage();
    expect(await run(['resolve', id, 'close', '--reason', 'called the person'], env)).toMatchObject({ code: 0 });
    expect(await statusOf(id)).toEqual({ status: 'failed', message_sid: null });
    expect(await run(['resolve', id, 'close', '--reason', 'again'], env)).toMatchObject({
      code: 1,
      err: expect.stringContaining('failed'),
    });
  });

  it.each(['resend', 'close'])('%s waits until five minutes have passed since the call', async (action) => {
    const id = await unknownMessage({ ageSeconds: 290, absences: 2 });
    const { code, err } = await run(['resolve', id, action, '--reason', 'x'], env);
    expect(code).toBe(1);
    expect(err).toContain('five minutes');
    expect(await statusOf(id)).toMatchObject({ status: 'unknown' });
  });

  it('exits 1 for a message that does not exist', async () => {
    const { code, err } = await run(['resolve', randomUUID(), 'close', '--reason', 'x'], env);
    expect(code).toBe(1);
    expect(err).toContain('--list');
  });

  it.each([
    ['nothing', []],
    ['an id that is none', ['abc', 'close', '--reason', 'x']],
    ['no action', [randomUUID()]],
    ['an unknown action', [randomUUID(), 'delete', '--reason', 'x']],
    ['no reason', [randomUUID(), 'close']],
    ['adopt without a sid', [randomUUID(), 'adopt', '--reason', 'x']],
    ['a sid that is none', [randomUUID(), 'adopt', '--sid', 'SM12', '--reason', 'x']],
    ['a sid with another action', [randomUUID(), 'close', '--sid', randomSid(), '--reason', 'x']],
    ['an id with --list', [randomUUID(), '--list']],
  ])('exits 2 for %s', async (_name, args) => {
    const { code, out, err } = await run(['resolve', ...args], env);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(/error: /);
  });
});
