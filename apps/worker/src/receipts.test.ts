import { getMessageDeliveryStatus, noteListProgress, withAdvisoryLock } from '@tickmark/delivery';
import { describeError, externalMessageId, type AcceptedMessage } from '@tickmark/domain';
import { randomBody, randomPhone, waitFor } from '@tickmark/testing';
import type { MessageLister } from '@tickmark/twilio';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startSimulatorProcess, type SimulatorProcess } from './fixtures/simulator-process.ts';
import { createWorkerHarness, type WorkerHarness } from './fixtures/worker-harness.ts';
import { findMissedReceipts, RECEIPT_TIMES, type ReceiptsDeps, type ReceiptTimes } from './receipts.ts';

let simulator: SimulatorProcess;
let harness: WorkerHarness;
let asked: { fetched: number; listed: number };
/** The real one, counting the requests that it is asked for: of a list at least one. */
let lister: MessageLister;
beforeAll(async () => {
  simulator = await startSimulatorProcess();
  harness = await createWorkerHarness({ simulator });
  // Passes are made by the tests, so that each sees exactly its own.
  harness.start({ reconcileIntervalMs: 3_600_000, receiptsIntervalMs: 3_600_000, sweepIntervalMs: 3_600_000 });
  lister = {
    ...harness.deps.lister,
    fetch: (sid) => {
      asked.fetched += 1;
      return harness.deps.lister.fetch(sid);
    },
    listSent: (query, onPage) =>
      harness.deps.lister.listSent(query, (messages) => {
        asked.listed += 1;
        return onPage(messages);
      }),
  };
}, 90_000);
afterAll(async () => {
  await harness.close();
  await simulator.close();
});
beforeEach(async () => {
  asked = { fetched: 0, listed: 0 };
  // No callback comes through, unless told.
  await simulator.set({});
  // Whatever earlier tests sent is finished with, and each list was read up to now.
  await harness.db.sql`UPDATE whatsapp_messages SET status = 'read', rank = 70 WHERE rank < 50`;
  await harness.db.sql`DELETE FROM receipt_polls`;
  await listedUntil(new Date());
});

const look = (deps: Partial<ReceiptsDeps> = {}, times: Partial<ReceiptTimes> = {}) =>
  findMissedReceipts({ ...harness.deps, lister, ...deps }, { concurrency: 2, times: { ...RECEIPT_TIMES, ...times } });

async function listedUntil(time: Date): Promise<void> {
  for (const { alias } of simulator.senders) await noteListProgress(harness.db, alias, { until: time, target: time });
}

/** Sends messages and waits until they have their last status at Twilio, of which no callback told. */
async function sendAll(count: number, last: string, overrides: Partial<AcceptedMessage> = {}): Promise<AcceptedMessage[]> {
  const messages = Array.from({ length: count }, () => harness.message(overrides));
  await harness.producers.addIntake(messages, 'bulk');
  for (const { id } of messages) {
    const sid = await waitFor(async () => (await harness.row(id))?.message_sid ?? undefined);
    await waitFor(async () => (await simulator.statusOf(sid)) === last);
    expect(await harness.row(id)).toMatchObject({ status: 'queued' });
  }
  return messages;
}

/** Lets everything have happened so much earlier; also what was to happen later. */
async function letPass(seconds: number): Promise<void> {
  await harness.db.sql`
    UPDATE whatsapp_messages SET created_at = created_at - ${seconds} * interval '1 second', claimed_at = claimed_at - ${seconds} * interval '1 second'`;
  await harness.db.sql`UPDATE receipt_polls SET due_at = due_at - ${seconds} * interval '1 second'`;
  await harness.db.sql`
    UPDATE system_state SET value = to_char((split_part(value, ' ', 1)::timestamptz - ${seconds} * interval '1 second') AT TIME ZONE 'UTC',
      'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || ' ' || split_part(value, ' ', 2)
    WHERE key = 'receipts_walked'`;
}

async function statusesOf(messages: readonly AcceptedMessage[]): Promise<string[]> {
  return (await Promise.all(messages.map(({ id }) => harness.row(id)))).map((row) => row?.status ?? 'gone');
}

const untilAll = (messages: readonly AcceptedMessage[], status: string) =>
  waitFor(async () => (await statusesOf(messages)).every((found) => found === status));

const notedPolls = async () => (await harness.db.sql`SELECT FROM receipt_polls WHERE NOT over`).length;

describe('messages whose callbacks never came', () => {
  it('are asked about in a sample after 15 minutes and each after 12 hours, and then never again', async () => {
    const messages = await sendAll(13, 'read');
    await letPass(840);
    expect(await look()).toMatchObject({ repaired: 0, current: 0 });
    expect(asked.fetched).toBe(0);
    await letPass(120);
    expect(await look()).toMatchObject({ repaired: 10, current: 0, failed: 0 });
    await waitFor(async () => (await statusesOf(messages)).filter((status) => status === 'read').length === 10);
    await look();
    expect(asked.fetched).toBe(10);
    expect(await notedPolls()).toBe(13);
    await letPass(43_200);
    // The ten that are finished by now are forgotten without a question.
    expect(await look()).toMatchObject({ repaired: 3 });
    await untilAll(messages, 'read');
    await letPass(43_200);
    await look();
    expect([asked.fetched, await notedPolls()]).toEqual([13, 0]);
  }, 60_000);

  it('and that stay sent for ever are asked about twice', async () => {
    await sendAll(1, 'sent', { recipient: 'whatsapp:+15005600002' });
    for (const seconds of [960, 43_200, 43_200, 86_400]) {
      await letPass(seconds);
      await look();
    }
    expect([asked.fetched, await notedPolls()]).toEqual([2, 0]);
  }, 30_000);

  it('are repaired with their error, and their timeline says who told it', async () => {
    const [message] = await sendAll(1, 'undelivered', { recipient: 'whatsapp:+15005663024' });
    await letPass(960);
    await look();
    await waitFor(async () => (await harness.row(message?.id ?? ''))?.status === 'undelivered');
    const status = await getMessageDeliveryStatus({ db: harness.db, describeError }, { idOrSid: message?.id ?? '' });
    expect(status).toMatchObject({ errorCode: 63024 });
    expect(status?.timeline).toContainEqual(
      expect.objectContaining({ kind: 'reconciled', source: 'poll', status: 'undelivered', errorCode: 63024 }),
    );
  }, 30_000);

  it('are asked about later when Twilio does not answer, and the pass asks no more than it must', async () => {
    const messages = await sendAll(8, 'read');
    await letPass(960);
    const failed = { kind: 'failed', failure: 'timeout', httpStatus: null, errorCode: null } as const;
    let questions = 0;
    const away: MessageLister = {
      ...lister,
      fetch: () => {
        questions += 1;
        return Promise.resolve(failed);
      },
    };
    await look({ lister: away });
    expect(questions).toBeLessThanOrEqual(4);
    await letPass(900);
    expect(await look()).toMatchObject({ repaired: 8 });
    await untilAll(messages, 'read');
  }, 30_000);

  it('are looked for by one process at a time', async () => {
    const { value } = (await withAdvisoryLock(harness.db, 'receipts', () => look())) as { value: unknown };
    expect(value).toBeNull();
  });
});

describe('the daily list', () => {
  /** Reads what was sent since a moment ago, at once. */
  const AT_ONCE = { listDelaySeconds: -1, listEverySeconds: 0 };

  it('repairs what polls did not, of numbers and Messaging Services, with a request per hour and sender', async () => {
    const startedAt = new Date(Date.now() - 5_000);
    const [, , service] = simulator.senders;
    const messages = [
      ...(await sendAll(2, 'read')),
      ...(await sendAll(2, 'read', { sender: service.alias, senderAddress: service.address })),
    ];
    await listedUntil(startedAt);
    expect(await look({}, AT_ONCE)).toMatchObject({ repaired: 4, failed: 0 });
    expect(asked).toEqual({ fetched: 0, listed: 3 });
    await untilAll(messages, 'read');
    await listedUntil(startedAt);
    expect(await look({}, AT_ONCE)).toMatchObject({ repaired: 0 });
  }, 60_000);

  it('is read once a day, up to an hour ago, and goes on where it was broken off', async () => {
    await listedUntil(new Date(Date.now() - 90_100_000));
    const stop = new AbortController();
    let slices = 0;
    const stopping: MessageLister = {
      ...lister,
      listSent: (query, onPage) => {
        slices += 1;
        if (slices === 4) stop.abort();
        return lister.listSent(query, onPage);
      },
    };
    const deps = { ...harness.deps, lister: stopping };
    await findMissedReceipts(deps, { concurrency: 1 }, stop.signal);
    expect(slices).toBe(4);
    await findMissedReceipts(deps, { concurrency: 1 });
    expect(slices).toBe(3 * 25);
    await findMissedReceipts(deps, { concurrency: 1 });
    expect(slices).toBe(3 * 25);
  }, 60_000);

  it('makes an external row of what nobody here sent, but only when that is older than an hour', async () => {
    const startedAt = new Date(Date.now() - 5_000);
    const [{ address }] = simulator.senders;
    const to = `whatsapp:${randomPhone()}`;
    await simulator.createFromElsewhere({ To: to, From: address, Body: randomBody() });
    const sid = await waitFor(() => sidOf(to));
    await waitFor(async () => (await simulator.statusOf(sid)) === 'read');
    await listedUntil(startedAt);
    expect(await look({}, AT_ONCE)).toMatchObject({ external: 0, repaired: 0 });
    expect(await harness.row(externalMessageId(sid))).toBeUndefined();
    await listedUntil(startedAt);
    expect(await look({}, { ...AT_ONCE, externalAfterSeconds: -60 })).toMatchObject({ external: 1 });
    await waitFor(async () => (await harness.row(externalMessageId(sid)))?.status === 'read');
  }, 30_000);

  async function sidOf(recipient: string): Promise<string | undefined> {
    const [{ address: senderAddress }] = simulator.senders;
    const answer = await harness.deps.lister.list({ recipient, senderAddress, since: new Date(0) });
    return answer.kind === 'listed' ? answer.messages[0]?.messageSid : undefined;
  }
});
