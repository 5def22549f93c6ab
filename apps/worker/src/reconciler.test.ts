import { withAdvisoryLock } from '@tickmark/delivery';
import type { AcceptedMessage } from '@tickmark/domain';
import { randomBody, randomPhone, waitFor } from '@tickmark/testing';
import { createMessageLister } from '@tickmark/twilio';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { startSimulatorProcess, type SimulatorProcess } from './fixtures/simulator-process.ts';
import { createWorkerHarness, type WorkerHarness } from './fixtures/worker-harness.ts';
import { reconcileOnce, type ReconcilerDeps } from './reconciler.ts';

let simulator: SimulatorProcess;
let harness: WorkerHarness;
beforeAll(async () => {
  simulator = await startSimulatorProcess();
  harness = await createWorkerHarness({ simulator });
  // Passes are made by the tests, so that each sees exactly its own.
  harness.start({ reconcileIntervalMs: 3_600_000, sweepIntervalMs: 500 });
}, 90_000);
afterAll(async () => {
  await harness.close();
  await simulator.close();
});
beforeEach(() => simulator.set({}));
afterEach(() => vi.useRealTimers());

const look = (deps: Partial<ReconcilerDeps> = {}) => reconcileOnce({ ...harness.deps, ...deps }, 2);

/** Sends a message whose call meets this fault, and waits until its outcome is unknown. */
async function sendUnknown(kind: string, overrides: Partial<AcceptedMessage> = {}): Promise<AcceptedMessage> {
  const message = harness.message(overrides);
  await simulator.set({ faults: [{ kind, to: message.recipient }] });
  await harness.producers.addIntake([message], message.priority);
  await untilStatus(message.id, 'unknown', 20_000);
  await simulator.set({});
  return message;
}

/** A message of the sender that Twilio certainly has. */
async function sendKnown(overrides: Partial<AcceptedMessage> = {}): Promise<AcceptedMessage> {
  const message = harness.message(overrides);
  await harness.producers.addIntake([message], message.priority);
  await untilStatus(message.id, 'queued');
  return message;
}

async function untilStatus(id: string, status: string, timeoutMs = 10_000): Promise<void> {
  await waitFor(async () => (await harness.row(id))?.status === status, { message: `message to be ${status}`, timeoutMs });
}

/** Lets the claim, and the look before, have been so much earlier. */
async function letPass(seconds: number, { id }: { id: string }): Promise<void> {
  await harness.db.sql`UPDATE whatsapp_messages SET claimed_at = claimed_at - ${seconds} * interval '1 second' WHERE id = ${id}`;
  await harness.db.sql`UPDATE outcome_searches SET looked_at = looked_at - ${seconds} * interval '1 second' WHERE message_id = ${id}`;
}

async function searchOf({ id }: { id: string }) {
  const [row] = await harness.db
    .sql`SELECT looks, absences, candidates FROM outcome_searches WHERE message_id = ${id} ORDER BY attempt DESC`;
  return row ?? null;
}

async function createdOf({ id }: { id: string }) {
  return (await simulator.createsOf(id)).filter(({ outcome }) => outcome !== 'refused');
}

describe('a message that was created although its answer was lost, and that no callback told of', () => {
  it.each(['reset-after-create', 'unavailable-after-create', 'error-after-create', 'stall-after-create', 'unparsable-201', 'sidless-201'])(
    '%s: the list tells of it a minute later; it is adopted, its status taken over, and nothing sent again',
    async (kind) => {
      const message = await sendUnknown(kind);
      await look();
      expect(await harness.row(message.id)).toMatchObject({ status: 'unknown' });
      const [created] = await createdOf(message);
      await waitFor(async () => (await simulator.statusOf(created?.sid ?? '')) === 'read');
      await letPass(61, message);
      const told: string[] = [];
      await look({ news: { changed: (ids) => void told.push(...ids) } });
      expect(told).toEqual([message.id]);
      expect(await harness.row(message.id)).toMatchObject({ message_sid: created?.sid, attempts: 1 });
      await untilStatus(message.id, 'read');
      const [row] = await harness.db.sql`SELECT sid_source FROM whatsapp_messages WHERE id = ${message.id}`;
      expect(row).toEqual({ sid_source: 'adopted' });
      expect(await simulator.createsOf(message.id)).toHaveLength(1);
    },
    30_000,
  );

  it('of a Messaging Service is found by the service, whoever sent it', async () => {
    const { alias, address } = simulator.senders[2];
    const message = await sendUnknown('reset-after-create', { sender: alias, senderAddress: address });
    await letPass(61, message);
    await look();
    expect(await harness.row(message.id)).toMatchObject({ message_sid: (await createdOf(message))[0]?.sid });
  });
});

describe('a message that was not created', () => {
  it.each(['proxy-429', 'reset-before-create', 'error-before-create'])(
    '%s: its absence is proven twice, and by default it waits for a person',
    async (kind) => {
      const message = await sendUnknown(kind);
      await sendKnown();
      await letPass(61, message);
      await look();
      expect(await searchOf(message)).toEqual({ looks: 1, absences: 1, candidates: [] });
      await letPass(240, message);
      await look();
      expect(await searchOf(message)).toEqual({ looks: 2, absences: 2, candidates: [] });
      expect(await harness.row(message.id)).toMatchObject({ status: 'unknown', attempts: 1 });
      expect(await createdOf(message)).toHaveLength(0);
    },
  );

  it('and may be resent is sent once more after the second proof, and not before', async () => {
    const message = await sendUnknown('proxy-429', { onUnknown: 'resend' });
    await sendKnown();
    await letPass(61, message);
    await look();
    await letPass(200, message);
    await look();
    expect([await searchOf(message), await harness.row(message.id)]).toMatchObject([{ looks: 1 }, { status: 'unknown' }]);
    await letPass(40, message);
    await look();
    await untilStatus(message.id, 'queued');
    expect(await harness.row(message.id)).toMatchObject({ attempts: 2 });
    expect(await createdOf(message)).toMatchObject([{ a: 2 }]);
  });

  it('and whose job could not be added is sent all the same, and so is what was looked up with it', async () => {
    const first = await sendUnknown('proxy-429', { onUnknown: 'resend' });
    const second = await sendUnknown('proxy-429', { onUnknown: 'resend', recipient: first.recipient });
    await sendKnown();
    const pass = async (seconds: number, deps: Partial<ReconcilerDeps> = {}) => {
      for (const message of [first, second]) await letPass(seconds, message);
      await look(deps);
    };
    await pass(61);
    await pass(240, { producers: { ...harness.producers, addSend: () => Promise.reject(new Error('Redis is away')) } });
    for (const message of [first, second]) {
      await untilStatus(message.id, 'queued');
      expect(await searchOf(message)).toMatchObject({ looks: 2, absences: 2 });
      expect(await createdOf(message)).toMatchObject([{ a: 2 }]);
    }
  });

  it('a second unknown outcome of the same message is left to a person', async () => {
    const message = await sendUnknown('reset-before-create', { onUnknown: 'resend' });
    await sendKnown();
    await letPass(61, message);
    await look();
    await simulator.set({ faults: [{ kind: 'reset-before-create', to: message.recipient }] });
    await letPass(240, message);
    const told: string[] = [];
    await look({ news: { changed: (ids) => void told.push(...ids) } });
    expect(told).toEqual([message.id]);
    await waitFor(async () => (await harness.row(message.id))?.attempts === 2);
    await untilStatus(message.id, 'unknown');
    await simulator.set({});
    await sendKnown();
    await letPass(61, message);
    await look();
    await letPass(240, message);
    await look();
    expect(await searchOf(message)).toMatchObject({ looks: 2, absences: 2 });
    expect(await harness.row(message.id)).toMatchObject({ status: 'unknown', attempts: 2 });
    expect(await createdOf(message)).toHaveLength(0);
  });
});

describe('an empty list proves nothing', () => {
  /** Two looks at a message that was created, of which the list says nothing: it must never be sent again. */
  async function lookTwice(message: AcceptedMessage, deps: Partial<ReconcilerDeps>) {
    await letPass(61, message);
    await look(deps);
    await letPass(240, message);
    await look(deps);
    expect(await harness.row(message.id)).toMatchObject({ status: 'unknown', attempts: 1 });
    expect(await createdOf(message)).toHaveLength(1);
    return searchOf(message);
  }
  const resend = { onUnknown: 'resend' } as const;

  it('when it is of another account', async () => {
    const message = await sendUnknown('reset-after-create', resend);
    await sendKnown();
    const elsewhere = createMessageLister({
      ...simulator.api,
      baseUrl: harness.twilio.baseUrl,
      concurrency: 1,
      requestsPerSecond: 100,
      log: harness.deps.log,
    });
    expect(await lookTwice(message, { lister: elsewhere })).toEqual({ looks: 2, absences: 0, candidates: [] });
    elsewhere.close();
  });

  it('when the credentials are wrong: that is no list at all, and no look', async () => {
    const message = await sendUnknown('reset-after-create', resend);
    await sendKnown();
    const wrong = { reveal: () => 'wrong' };
    const unauthorized = createMessageLister({
      ...simulator.api,
      apiKeySecret: wrong,
      concurrency: 1,
      requestsPerSecond: 100,
      log: harness.deps.log,
    });
    expect(await lookTwice(message, { lister: unauthorized })).toMatchObject({ looks: 0, absences: 0 });
    unauthorized.close();
  });

  it('when nothing that is known of the sender could show that the list works', async () => {
    const { alias, address } = simulator.senders[1];
    const message = await sendUnknown('reset-before-create', { ...resend, sender: alias, senderAddress: address });
    await sendKnown();
    await letPass(61, message);
    await look();
    await letPass(240, message);
    await look();
    expect(await searchOf(message)).toEqual({ looks: 2, absences: 0, candidates: [] });
    expect(await harness.row(message.id)).toMatchObject({ status: 'unknown', attempts: 1 });
  });

  it('while an old callback waits that may be the proof', async () => {
    const alone = await createWorkerHarness({ simulator });
    const message = await sendUnknown('reset-before-create', resend);
    await sendKnown();
    await letPass(61, message);
    await alone.producers.addStatusEvents([statusOf(`SM${'9'.repeat(32)}`)]);
    // Time goes on for everything that is told by this process's clock: the age of the callback.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 });
    await look({ producers: alone.producers });
    expect(await searchOf(message)).toEqual({ looks: 1, absences: 0, candidates: [] });
    await alone.redis.dropAll();
    await alone.close();
  });

  it('while callbacks wait on the disk of an ingress, of which one may be the proof', async () => {
    const alone = await createWorkerHarness({ simulator });
    const message = await sendUnknown('reset-before-create', resend);
    await sendKnown();
    await letPass(61, message);
    await alone.producers.reportSpool({ instance: 'a', waiting: 1, takenOver: [] });
    await look({ producers: alone.producers });
    expect(await searchOf(message)).toEqual({ looks: 1, absences: 0, candidates: [] });
    await alone.redis.dropAll();
    await alone.close();
  });
});

describe('two equal texts to one person, of which one was created', () => {
  it('one is adopted, and the other never sent again by itself: the adopted message might be its own', async () => {
    const { lost, made } = await twins();
    for (const twin of [lost, made]) await letPass(240, twin);
    await look();
    const rows = await Promise.all([lost, made].map(({ id }) => harness.row(id)));
    expect(rows.filter((row) => row?.message_sid !== null)).toHaveLength(1);
    expect(rows.filter((row) => row?.status === 'unknown')).toHaveLength(1);
    expect([...(await createdOf(lost)), ...(await createdOf(made))]).toHaveLength(1);
  });

  it('once the true owner’s callback comes, the adoption is revoked, and the one that was not created is sent: each exactly once', async () => {
    const { lost, made, sid } = await twins();
    // The earlier one was taken for the listed message, wrongly.
    expect(await harness.row(lost.id)).toMatchObject({ message_sid: sid });
    await harness.producers.addStatusEvents([{ ...statusOf(sid), messageId: made.id, attempt: 1, rawStatus: 'read' }]);
    await untilStatus(made.id, 'read');
    expect(await harness.row(lost.id)).toMatchObject({ status: 'unknown', message_sid: null });
    await look();
    expect(await searchOf(lost)).toMatchObject({ looks: 1, absences: 1 });
    await letPass(240, lost);
    await look();
    await untilStatus(lost.id, 'queued');
    expect([await createdOf(lost), await createdOf(made)]).toMatchObject([[{ a: 2 }], [{ a: 1 }]]);
  });

  async function twins() {
    const same = { recipient: `whatsapp:${randomPhone()}`, body: randomBody(), onUnknown: 'resend' } as const;
    const lost = await sendUnknown('reset-before-create', same);
    const made = await sendUnknown('reset-after-create', same);
    await sendKnown();
    for (const twin of [lost, made]) await letPass(61, twin);
    await look();
    return { lost, made, sid: (await createdOf(made))[0]?.sid ?? '' };
  }
});

describe('a pass', () => {
  it('is one process’s at a time', async () => {
    expect(await withAdvisoryLock(harness.db, 'reconciler', () => look())).toEqual({ ran: true, value: null });
  });

  it('ends after three lists that fail, and asks for none of them again at once', async () => {
    const messages = await Promise.all(Array.from({ length: 6 }, () => sendUnknownOfMany()));
    let requests = 0;
    const failing = {
      list: () => Promise.resolve(((requests += 1), { kind: 'failed', failure: 'timeout', httpStatus: null, errorCode: null } as const)),
      close: () => {},
    };
    for (const message of messages) await letPass(61, message);
    await reconcileOnce({ ...harness.deps, lister: failing }, 1);
    expect(requests).toBe(3);
    await reconcileOnce({ ...harness.deps, lister: failing }, 1);
    expect(requests).toBe(6);
    await look();
    expect((await harness.metrics.reconciled.get()).values.find(({ labels }) => labels.result === 'failed')?.value).toBeGreaterThanOrEqual(
      6,
    );
  });

  it('ends after all of its look-ups, also when one of them cannot even be put off', async () => {
    await letAllBeYoung();
    const [broken, well] = [await sendUnknownOfMany(), await sendUnknownOfMany()];
    await harness.db.sql.unsafe(`
      CREATE FUNCTION refuse_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused by the test'; END $$;
      CREATE TRIGGER refuse_it BEFORE INSERT ON outcome_searches FOR EACH ROW WHEN (NEW.message_id = '${broken.id}') EXECUTE FUNCTION refuse_it()`);
    const lister = {
      list: async ({ recipient }: { recipient: string }) => {
        const askedMs = performance.now();
        if (recipient === well.recipient) await waitFor(() => performance.now() - askedMs > 1_500);
        return { kind: 'failed', failure: 'timeout', httpStatus: null, errorCode: null } as const;
      },
      close: () => {},
    };
    for (const message of [broken, well]) await letPass(61, message);
    await expect(reconcileOnce({ ...harness.deps, lister }, 2)).rejects.toThrow('refused by the test');
    expect(await searchOf(well)).toMatchObject({ looks: 0 });
    await harness.db.sql`DROP TRIGGER refuse_it ON outcome_searches`;
    await look();
  }, 30_000);

  it('takes up no more after five minutes: its lock does not last for ever', async () => {
    await letAllBeYoung();
    const messages = [await sendUnknownOfMany(), await sendUnknownOfMany(), await sendUnknownOfMany()];
    for (const message of messages) await letPass(61, message);
    let nowMs = 0;
    const clock = { ...harness.deps.clock, monotonicMs: () => (nowMs += 150_000) };
    expect(await reconcileOnce({ ...harness.deps, clock }, 1)).toBe(1);
    expect(await look()).toBe(2);
  }, 30_000);

  async function letAllBeYoung(): Promise<void> {
    await harness.db.sql`UPDATE whatsapp_messages SET claimed_at = now() WHERE status = 'unknown'`;
  }

  it('counts unknown outcomes by whether something is listed that may be theirs', async () => {
    const message = await sendUnknown('reset-after-create');
    await letPass(61, message);
    const before = await unknownCounts();
    // A second message to the same person that nobody here made: now nothing tells which is whose.
    await simulator.createFromElsewhere({ To: message.recipient, From: message.senderAddress, Body: message.body ?? '' });
    await look();
    const after = await unknownCounts();
    expect((after['true'] ?? 0) - (before['true'] ?? 0)).toBe(1);
    expect((await searchOf(message))?.['candidates']).toHaveLength(2);
    expect(await harness.row(message.id)).toMatchObject({ status: 'unknown' });
  });

  async function unknownCounts(): Promise<Record<string, number>> {
    const { values } = await harness.metrics.unknownOutcomes.get();
    return Object.fromEntries(values.map(({ labels, value }) => [String(labels.listed), value]));
  }

  async function sendUnknownOfMany() {
    const message = harness.message();
    await simulator.set({ faults: [{ kind: 'reset-after-create', share: 1 }] });
    await harness.producers.addIntake([message], message.priority);
    await untilStatus(message.id, 'unknown', 20_000);
    return message;
  }
});

function statusOf(messageSid: string) {
  const unnamed = { messageId: null, attempt: null, from: null, to: null, messagingServiceSid: null, channelStatusMessage: null };
  return { ...unnamed, messageSid, rawStatus: 'sent', errorCode: null, receivedAt: new Date().toISOString(), source: 'callback' as const };
}
