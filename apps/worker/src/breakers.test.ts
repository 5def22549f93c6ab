import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { endStop, openBreaker, seedSenders } from '@tickmark/delivery';
import type { AcceptedMessage, Sender } from '@tickmark/domain';
import { randomPhone, statusEvent, waitFor } from '@tickmark/testing';
import { created, type Answer } from './fixtures/scripted-twilio.ts';
import { createWorkerHarness, type WorkerHarness } from './fixtures/worker-harness.ts';
import type { RunningWorker } from './start-worker.ts';

const CONCURRENCY = 5;
const TEMPLATES = [`HX${'a'.repeat(32)}`, `HX${'b'.repeat(32)}`] as const;

let harness: WorkerHarness;
let worker: RunningWorker;
beforeAll(async () => {
  harness = await createWorkerHarness();
  worker = harness.start({
    concurrencyMax: CONCURRENCY,
    sweepIntervalMs: 200,
    sendersRefreshMs: 200,
    probeEveryMs: 700,
    probationMs: 300,
    windowGuard: 'off',
  });
  await waitFor(async () => (await worker.readiness()).ready);
});
afterEach(async () => {
  harness.answerWith(() => created());
  await harness.db.sql`DELETE FROM send_stops`;
});
afterAll(() => harness.close());

const refused = (code: number, status = 400): Answer => ({ status, body: { code, message: 'no', more_info: '', status } });
const openBreakers = async (scope: string) =>
  (await harness.metrics.circuitOpen.get()).values.find(({ labels }) => labels['scope'] === scope)?.value;
const untilOpen = (scope: string) =>
  waitFor(async () => (await openBreakers(scope)) === 1, { message: `the breaker of the ${scope} to open` });
const breaker = async () => {
  const [row] = await harness.db.sql<{ scope: string; target: string; level: number; pauseMs: number | null }[]>`
    SELECT scope, target, level, extract(epoch FROM until - opened_at)::float8 * 1000 AS "pauseMs" FROM send_stops WHERE source = 'breaker'`;
  return row;
};
/** Time for everything that could still send: several reads of the stops, and of the rows by the sweeper. */
async function aWhile(): Promise<void> {
  const sweeps = () => harness.log.lines().filter(({ msg }) => msg === 'sweep finished').length;
  const before = sweeps();
  await waitFor(() => sweeps() > before + 6, { timeoutMs: 20_000 });
}

async function add(count: number, values: Partial<AcceptedMessage> = {}): Promise<string[]> {
  const messages = Array.from({ length: count }, () => harness.message(values));
  await harness.producers.addIntake(messages, 'bulk');
  return messages.map(({ id }) => id);
}
const statusesOf = async (ids: string[]) => {
  const rows = await harness.db.sql<{ status: string; count: number }[]>`
    SELECT status, count(*)::int AS count FROM whatsapp_messages WHERE id = ANY (${ids}) GROUP BY status ORDER BY status`;
  return Object.fromEntries(rows.map(({ status, count }) => [status, count]));
};
const untilSent = (ids: string[], timeoutMs = 10_000) =>
  waitFor(async () => (await statusesOf(ids))['queued'] === ids.length, { timeoutMs, message: 'all to be sent' });
/** Those that were refused themselves come back later than the others. */
const untilGoesOn = (ids: string[]) =>
  waitFor(async () => (await statusesOf(ids))['accepted'] === undefined, { timeoutMs: 20_000, message: 'what waited to be sent' });
const untilNoCallRuns = (ids: string[]) => waitFor(async () => (await statusesOf(ids))['sending'] === undefined);
const callsFor = (ids: string[]) =>
  harness.twilio.creates.filter((form) => ids.some((id) => form.get('StatusCallback')?.includes(id))).length;

async function newSender(alias: string): Promise<Sender> {
  const sender = { alias, address: `whatsapp:${randomPhone()}`, mps: 400 };
  await seedSenders(harness.db, [sender]);
  await waitFor(() => worker.queues().includes(`send-${alias}`));
  return sender;
}
const from = ({ alias, address }: Sender) => ({ sender: alias, senderAddress: address });

async function send(count: number, values: Partial<AcceptedMessage>): Promise<string[]> {
  const ids = await add(count, values);
  await untilSent(ids);
  return ids;
}

/** Tells that messages that were sent ended like this: one code each, null = it arrived. */
async function end(ids: string[], codes: (number | null)[]): Promise<void> {
  const rows = await harness.db.sql<
    { id: string; sid: string }[]
  >`SELECT id, message_sid AS sid FROM whatsapp_messages WHERE id = ANY (${ids})`;
  const events = rows.map(({ id, sid }, index) => {
    const errorCode = codes[index] ?? null;
    const rawStatus = errorCode === null ? 'delivered' : 'undelivered';
    return statusEvent({ messageId: id, attempt: 1, messageSid: sid, rawStatus, errorCode });
  });
  await harness.producers.addStatusEvents(events);
}

const sendAndEnd = async (codes: (number | null)[], values: Partial<AcceptedMessage>) => end(await send(codes.length, values), codes);

describe('the account', () => {
  it('after the first few refusals with 20003 no call is made until the credentials change, then all go out', async () => {
    let goodCredentials = false;
    harness.answerWith(() => (goodCredentials ? created() : refused(20003, 401)));
    const ids = await add(60);
    await untilOpen('account');
    await harness.db.sql`UPDATE send_stops SET probed_at = now() + interval '1 hour'`;
    await untilNoCallRuns(ids);
    const firstFew = callsFor(ids);
    ids.push(...(await add(20)));
    await aWhile();
    expect(callsFor(ids)).toBe(firstFew);
    expect(firstFew).toBeLessThanOrEqual(3 * CONCURRENCY);
    expect(await statusesOf(ids)).toEqual({ accepted: ids.length - firstFew, retrying: firstFew });

    goodCredentials = true;
    harness.rotateSecret();
    await untilSent(ids, 45_000);
    console.log(
      `20003: ${firstFew} calls of ${ids.length} messages before the breaker, 0 until new credentials, then all ${ids.length} sent`,
    );
    expect(callsFor(ids)).toBe(ids.length + firstFew);
  }, 60_000);

  it('whose credentials work again without a change is found out by one message at a time', async () => {
    let works = false;
    harness.answerWith(() => (works ? created() : refused(20003, 401)));
    const ids = await add(20);
    await untilOpen('account');
    await untilNoCallRuns(ids);
    const probes = () => harness.log.lines().filter(({ msg }) => msg === 'circuit breaker is tried with one message').length;
    const [before, triedBefore] = [callsFor(ids), probes()];
    await waitFor(() => probes() >= triedBefore + 3 && callsFor(ids) > before, { timeoutMs: 20_000 });
    expect(callsFor(ids) - before).toBeLessThanOrEqual(probes());
    works = true;
    await untilGoesOn(ids);
  }, 30_000);
});

describe('a sender', () => {
  it('that Twilio refuses stops alone', async () => {
    const [broken, well] = [await newSender('broken'), await newSender('well')];
    harness.answerWith((form) => (form.get('From') === broken.address ? refused(63007) : created()));
    const stopped = await add(20, from(broken));
    await untilOpen('sender');
    await untilSent(await add(20, from(well)));
    expect(await breaker()).toMatchObject({ scope: 'sender', target: 'broken', pauseMs: null });
    expect(await statusesOf(stopped)).not.toHaveProperty('failed');
    harness.answerWith(() => created());
    await untilGoesOn(stopped);
  }, 30_000);

  it('and its account that both wait for a repair are tried by one message', async () => {
    const both = await newSender('both');
    const repair = { pause: null, reason: 'the test says so' };
    await openBreaker(harness.db, { scope: 'sender', target: both.alias, errorCode: 63007, ...repair });
    await openBreaker(harness.db, { scope: 'account', target: harness.client.credentialsFingerprint(), errorCode: 20003, ...repair });
    await untilOpen('account');
    await untilSent(await add(3, from(both)), 30_000);
  }, 40_000);

  it('pauses for half a minute after 63018, and for twice as long when that was not enough', async () => {
    const limited = await newSender('limited');
    await sendAndEnd([63018, 63018, 63018], from(limited));
    await untilOpen('sender');
    expect(await breaker()).toMatchObject({ target: 'limited', level: 0, pauseMs: 30_000 });
    const waiting = await add(5, from(limited));
    await aWhile();
    expect(callsFor(waiting)).toBe(0);
    await harness.db.sql`UPDATE send_stops SET until = now()`;
    await untilSent(waiting);
    await sendAndEnd([63018], from(limited));
    await waitFor(async () => (await breaker())?.level === 1);
    expect(await breaker()).toMatchObject({ target: 'limited', level: 1, pauseMs: 60_000 });
  });
});

describe('a template', () => {
  it('that is paused at WhatsApp stops at once; others go on, and its messages go out when the stop ends', async () => {
    const [paused, other] = TEMPLATES;
    harness.answerWith((form) => (form.get('ContentSid') === paused ? refused(63041) : created()));
    await add(1, { contentSid: paused, body: null });
    await untilOpen('template');
    const parked = await add(10, { contentSid: paused, body: null });
    await untilSent(await add(10, { contentSid: other, body: null }));
    expect(callsFor(parked)).toBe(0);
    expect(await breaker()).toMatchObject({ scope: 'template', target: paused, pauseMs: 900_000 });
    harness.answerWith(() => created());
    await harness.db.sql`UPDATE send_stops SET until = now()`;
    await untilSent(parked);
  });
});

describe('a campaign', () => {
  const share = (bad: number, finals: number) => Array.from({ length: finals }, (_, index) => (index < bad ? 63049 : null));

  it('of whose messages too many end with 63049 is stopped, and no other one', async () => {
    const campaign = `sale ${randomUUID()}`;
    await sendAndEnd(share(6, 20), { campaign });
    await untilOpen('campaign');
    expect(await breaker()).toMatchObject({ scope: 'campaign', target: campaign, pauseMs: 900_000 });
    const parked = await add(5, { campaign });
    await untilSent(await add(5, { campaign: 'another' }));
    expect(callsFor(parked)).toBe(0);
  });

  it('that was resumed is judged by what ended since then alone', async () => {
    const campaign = `sale ${randomUUID()}`;
    const failed = (count: number) =>
      waitFor(() => harness.signaled.filter((signal) => signal.campaign === campaign).length === count, { timeoutMs: 20_000 });
    const late = await send(20, { campaign });
    await sendAndEnd(share(6, 20), { campaign });
    await untilOpen('campaign');
    await end(late, share(20, 20));
    await failed(26);
    await endStop(harness.db, { scope: 'campaign', target: campaign, source: 'breaker', actor: 'ann', reason: 'looked at it' });
    await waitFor(async () => (await openBreakers('campaign')) === 0);
    await sendAndEnd(share(1, 1), { campaign });
    await failed(27);
    await untilSent(await add(5, { campaign }));
    expect(await breaker()).toBeUndefined();
    // More than needed: a count that a busy Redis does not answer in time is left out.
    await sendAndEnd(share(40, 40), { campaign });
    await untilOpen('campaign');
  }, 60_000);

  it.each([
    ['few of many', 5, 20],
    ['few at all', 10, 19],
  ])('goes on when it is %s', async (_name, bad, finals) => {
    const campaign = `sale ${randomUUID()}`;
    await sendAndEnd(share(bad, finals), { campaign });
    await waitFor(() => harness.signaled.filter((signal) => signal.campaign === campaign).length === bad);
    await untilSent(await add(5, { campaign }));
    expect(await breaker()).toBeUndefined();
  });
});
