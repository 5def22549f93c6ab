import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { claimForSending, insertAccepted, recordSuppressions, seedSenders } from '@tickmark/delivery';
import type { AcceptedMessage } from '@tickmark/domain';
import { acceptedMessage, randomPhone } from '@tickmark/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openCliDatabase, type CliDatabase } from '../fixtures/cli-database.ts';
import { run } from '../fixtures/run.ts';

const SUPPORT = `whatsapp:${randomPhone()}`;
const SHOP = `whatsapp:${randomPhone()}`;
const LONG_AGO = '2026-01-01T00:00:00.000Z';

let { db, env, close } = {} as CliDatabase;
beforeAll(async () => {
  ({ db, env, close } = await openCliDatabase());
  await seedSenders(db, [
    { alias: 'support', address: SUPPORT, mps: 80 },
    { alias: 'shop', address: SHOP, mps: 80 },
  ]);
});
beforeEach(async () => {
  await db.sql`TRUNCATE suppressions, audit_log`;
});
afterAll(() => close());

const suppressions = (...args: string[]) => run(['suppressions', ...args], env);
const because = ['--reason', 'they called', '--by', 'ann'];
const audit = () => db.sql<{ actor: string; action: string; reason: string; details: object }[]>`
  SELECT actor, action, reason, details FROM audit_log ORDER BY id`;

/** What becomes of a message to this person. */
async function claim(phone: string, values: Partial<AcceptedMessage> = {}): Promise<string> {
  const message = acceptedMessage({ senderAddress: SUPPORT, recipient: `whatsapp:${phone}`, ...values });
  await insertAccepted(db, [message]);
  const rules = { account: '0123456789abcdef', windowGuard: 'off' } as const;
  const [answer] = await claimForSending(db, [{ id: message.id, token: randomUUID() }], rules);
  if (answer?.ok !== true) throw answer?.error;
  return answer.value.kind === 'ended' ? answer.value.status : answer.value.kind;
}

const start = (phone: string, at: string) =>
  recordSuppressions(db, [
    { senderAddress: SUPPORT, recipient: `whatsapp:${phone}`, category: 'all', suppressed: false, at, source: 'inbound', reason: 'START' },
  ]);

async function listed(...args: string[]): Promise<object[]> {
  return JSON.parse((await suppressions('list', ...args, '--json')).out) as object[];
}

describe('tickmark suppressions add', () => {
  it('keeps every message from every sender from somebody, and is audited', async () => {
    const phone = randomPhone();
    const { code, out } = await suppressions('add', phone, ...because);
    expect({ code, out }).toEqual({ code: 0, out: `No messages will be sent to whatsapp:${phone} by shop, support.\n` });
    expect([await claim(phone), await claim(phone, { senderAddress: SHOP, category: 'utility' })]).toEqual(['suppressed', 'suppressed']);
    expect(await claim(randomPhone())).toBe('claimed');
    const details = { recipient: `whatsapp:${phone}`, category: 'all', senders: 'shop,support', changed: 2 };
    expect(await audit()).toEqual([{ actor: 'ann', action: 'suppression_added', reason: 'they called', details }]);
  });

  it('means one sender, or marketing alone, when it says so', async () => {
    const phone = randomPhone();
    await suppressions('add', phone, '--sender', 'support', '--category', 'marketing', ...because);
    const outcomes = [{}, { category: 'utility' as const }, { senderAddress: SHOP }].map((values) => claim(phone, values));
    expect(await Promise.all(outcomes)).toEqual(['suppressed', 'claimed', 'claimed']);
  });

  it('ends a START that came before, and is ended by one that comes later', async () => {
    const phone = randomPhone();
    await start(phone, LONG_AGO);
    await suppressions('add', phone, ...because);
    expect(await claim(phone)).toBe('suppressed');
    await start(phone, new Date(Date.now() + 60_000).toISOString());
    expect(await claim(phone)).toBe('claimed');
  });
});

it('tickmark suppressions remove lets everything be sent again, whatever kept it back', async () => {
  const phone = randomPhone();
  await suppressions('add', phone, ...because);
  await suppressions('add', phone, '--category', 'marketing', ...because);
  const { out } = await suppressions('remove', phone, ...because, '--json');
  expect(JSON.parse(out)).toEqual({
    action: 'remove',
    recipient: `whatsapp:${phone}`,
    categories: ['all', 'marketing'],
    senders: ['shop', 'support'],
    lifted: 4,
  });
  expect(await claim(phone, { category: 'marketing' })).toBe('claimed');
  expect((await audit()).map(({ action }) => action)).toEqual(['suppression_added', 'suppression_added', 'suppression_removed']);
});

it('tickmark suppressions remove says so when nothing was kept back', async () => {
  const phone = randomPhone();
  await suppressions('add', phone, '--sender', 'shop', ...because);
  expect(await suppressions('remove', phone, '--sender', 'support', ...because)).toEqual({
    code: 0,
    out: `whatsapp:${phone} may be sent messages again by support.\n`,
    err: `Nothing was kept from whatsapp:${phone} by support before.\n`,
  });
  expect(JSON.parse((await suppressions('remove', phone, ...because, '--json')).out)).toMatchObject({ lifted: 1 });
});

describe('tickmark suppressions list', () => {
  it('shows who is not written to, by which sender, since when and why', async () => {
    const [one, other] = [randomPhone(), randomPhone()];
    await suppressions('add', one, ...because);
    await suppressions('add', other, '--sender', 'shop', ...because);
    expect((await suppressions('list', one, '--sender', 'support')).out).toMatch(
      new RegExp(`^whatsapp:\\${one}  support  all  since \\S+Z  operator: they called\n$`),
    );
    expect((await suppressions()).out.trimEnd().split('\n')).toHaveLength(3);
    expect(await listed('--sender', 'shop')).toHaveLength(2);
    expect(await listed(other)).toMatchObject([{ sender: 'shop', recipient: `whatsapp:${other}`, category: 'all', source: 'operator' }]);
    await suppressions('remove', other, ...because);
    expect(await suppressions('list', other)).toEqual({ code: 0, out: '', err: 'Nobody is suppressed.\n' });
  });
});

describe('tickmark suppressions import', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tickmark-suppressions-'));
  });
  afterAll(() => rm(folder, { recursive: true }));
  const file = async (...lines: string[]) => {
    const path = join(folder, `${randomUUID()}.csv`);
    await writeFile(path, lines.join('\n'));
    return path;
  };

  it('takes every good line, tells each bad one by its number, and may be repeated', async () => {
    const [one, two, three] = [randomPhone(), randomPhone(), randomPhone()];
    const spaced = `${one.slice(0, 5)} ${one.slice(5, 8)}-${one.slice(8)}`;
    const path = await file(
      '\uFEFFphone,Sender,category,at,reason',
      `${spaced},,,,`,
      `${two},shop,marketing,2026-02-01T10:00:00+01:00,"by letter, signed"`,
      'nobody,,,,',
      '',
      `${three},nowhere,,,`,
      `${three},,some,,`,
      `${three},,,yesterday,`,
      `${three},,,2999-01-01,`,
    );
    const { code, out, err } = await suppressions('import', path, ...because);
    expect({ code, out }).toEqual({ code: 1, out: '2 of 7 rows imported, 3 suppressions new or newer.\n' });
    const told = err.split('\n').map((line) => /^line (\d+): (\w+)/.exec(line)?.slice(1) ?? []);
    const expected = [
      ['4', 'recipient'],
      ['6', 'sender'],
      ['7', 'category'],
      ['8', 'at'],
      ['9', 'at'],
    ];
    expect(told.filter((match) => match.length > 0)).toEqual(expected);
    expect(await listed(two)).toMatchObject([
      { sender: 'shop', category: 'marketing', at: '2026-02-01T09:00:00.000Z', reason: 'by letter, signed' },
    ]);
    expect(await listed(one)).toHaveLength(2);
    expect(await listed(three)).toEqual([]);
    const again = await suppressions('import', path, ...because, '--json');
    expect(JSON.parse(again.out)).toMatchObject({ rows: 7, imported: 2, invalid: expected.map(([line]) => ({ line: Number(line) })) });
    expect((await audit())[0]).toMatchObject({ actor: 'ann', action: 'suppressions_imported', details: { events: 3, changed: 3 } });
  });

  it('does not outdo what a person said after the time that a line gives', async () => {
    const phone = randomPhone();
    await start(phone, '2026-03-01T00:00:00.000Z');
    const path = await file('recipient,at', `whatsapp:${phone},2026-02-01`);
    const { code, out } = await suppressions('import', path, ...because, '--json');
    expect({ code, result: JSON.parse(out) as object }).toMatchObject({ code: 0, result: { imported: 1, changed: 1 } });
    expect([await claim(phone), await claim(phone, { senderAddress: SHOP })]).toEqual(['claimed', 'suppressed']);
  });

  it('takes a large file', async () => {
    const phones = Array.from({ length: 1_200 }, () => randomPhone());
    const { out } = await suppressions('import', await file('recipient', ...phones), ...because, '--json');
    expect(JSON.parse(out)).toEqual({ rows: 1_200, imported: 1_200, changed: 2_400, invalid: [] });
    expect(await claim(phones.at(-1) ?? '')).toBe('suppressed');
  });

  it.each([
    ['no such file', () => Promise.resolve('/nowhere.csv'), /ENOENT/],
    ['no column with people', () => file('name', 'x'), /no column "recipient" or "phone"/],
    ['a column that nobody knows', () => file('phone,consent', '+1,yes'), /unknown columns: consent/],
    ['a line that is no CSV', () => file('phone', '"+1'), /Quote/],
  ])('exits 1 for %s and says so', async (_name, make, reason) => {
    const { code, out, err } = await suppressions('import', await make(), ...because);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(reason);
  });
});

describe('tickmark suppressions', () => {
  it.each([
    ['an unknown action', ['forget']],
    ['nobody', ['add', ...because]],
    ['no recipient', ['add', 'somebody', ...because]],
    ['no file', ['import', ...because]],
    ['an unknown category', ['add', '+14155550100', '--category', 'service', ...because]],
    ['no reason', ['remove', '+14155550100']],
    ['a sender of a file', ['import', 'x.csv', '--sender', 'shop', ...because]],
  ])('exits 2 for %s', async (_name, args) => {
    const { code, out, err } = await suppressions(...args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(/error: /);
  });

  it('exits 1 for a sender that does not exist, and names those that do', async () => {
    const { code, err } = await suppressions('add', randomPhone(), '--sender', 'suport', ...because);
    expect(code).toBe(1);
    expect(err).toContain('shop, support');
  });
});
