import { createDatabase, findNotHandedOver, recordInbound, type Database } from '@tickmark/delivery';
import { createInboundConsumer, createProducers } from '@tickmark/queues';
import { inboundMessage, waitFor } from '@tickmark/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createWorkerHarness, type WorkerHarness } from './fixtures/worker-harness.ts';
import { handOverInbound } from './hand-over-inbound.ts';
import { sweepOnce } from './sweeper.ts';

let harness: WorkerHarness;
beforeAll(async () => {
  harness = await createWorkerHarness();
});
beforeEach(async () => {
  await harness.redis.dropQueue('inbound-message');
  await harness.db.sql`TRUNCATE inbound_messages`;
});
afterAll(() => harness.close());

const inbound = () => inboundMessage({ to: harness.sender.address });

async function unmarked(): Promise<string[]> {
  const rows = await harness.db.sql<{ sid: string }[]>`
    SELECT message_sid AS sid FROM inbound_messages WHERE handed_over_at IS NULL ORDER BY received_at`;
  return rows.map(({ sid }) => sid);
}

/** Messages whose worker died after it had stored them. */
async function storedOnly(count: number): Promise<string[]> {
  const messages = Array.from({ length: count }, (_, index) => ({ ...inbound(), receivedAt: new Date(index).toISOString() }));
  await recordInbound(harness.db, messages);
  await harness.db.sql`UPDATE inbound_messages SET created_at = now() - interval '11 s'`;
  return messages.map(({ messageSid }) => messageSid);
}

describe('a message that was stored', () => {
  it('is handed to consumers, and marked', async () => {
    const worker = harness.start();
    const message = inbound();
    await harness.producers.addInbound([message]);
    await expectConsumed([message.messageSid]);
    await waitFor(async () => (await unmarked()).length === 0);
    await worker.stopTaking(5_000);
  });

  it('is handed over by the sweeper when its worker died before', async () => {
    const sids = await storedOnly(3);
    expect(await sweepOnce(harness.deps)).toMatchObject({ handedOver: 3 });
    // The oldest first.
    await expectConsumed(sids);
    expect(await unmarked()).toEqual([]);
    expect(await sweepOnce(harness.deps)).toMatchObject({ handedOver: 0 });
  });

  it('is not marked while Redis has not taken it', async () => {
    const sids = await storedOnly(2);
    const refusing = { ...harness.deps, producers: { ...harness.deps.producers, addInboundMessages: createUnreachable() } };
    await expect(sweepOnce(refusing)).rejects.toThrow('redis');
    expect(await unmarked()).toEqual(sids);
    expect(await sweepOnce(harness.deps)).toMatchObject({ handedOver: 2 });
  });

  it('is handed over again when its worker died between the queue and the mark, never not at all', async () => {
    const sids = await storedOnly(2);
    const [first = inbound()] = await findNotHandedOver(harness.db, { limit: 1 });
    const closed = await createClosedDatabase();
    await expect(handOverInbound({ ...harness.deps, db: closed }, [first])).rejects.toThrow(/CONNECTION/);
    expect(await unmarked()).toEqual(sids);
    await expectConsumed(sids.slice(0, 1));
    expect(await sweepOnce(harness.deps)).toMatchObject({ handedOver: 2 });
    await expectConsumed(sids);
    expect(await unmarked()).toEqual([]);
  });

  it('waits in Postgres when consumers are behind, and goes when there is room', async () => {
    const sids = await storedOnly(450);
    const producers = createProducers({ ...harness.redis, log: harness.log.log, handedOverMax: 250 });
    const deps = { ...harness.deps, producers };
    expect(await sweepOnce(deps)).toMatchObject({ handedOver: 250 });
    expect(await sweepOnce(deps)).toMatchObject({ handedOver: 0 });
    expect(await unmarked()).toEqual(sids.slice(250));
    await expectConsumed(sids.slice(0, 250));
    expect(await sweepOnce(deps)).toMatchObject({ handedOver: 200 });
    await producers.close();
  });
});

/** What a consumer is given that takes one message at a time. */
async function expectConsumed(sids: readonly string[]): Promise<void> {
  const consumed: string[] = [];
  const onMessage = ({ message }: { message: { messageSid: string } }) => Promise.resolve(void consumed.push(message.messageSid));
  const consumer = createInboundConsumer({ ...harness.redis, log: harness.log.log, concurrency: 1, onMessage });
  await waitFor(() => consumed.length >= sids.length);
  await consumer.close(5_000);
  expect(consumed).toEqual(sids);
}

/** A database that takes nothing any more. */
async function createClosedDatabase(): Promise<Database> {
  const db = createDatabase({ url: 'postgres://nobody@127.0.0.1:1/nothing', prepare: true, max: 1, applicationName: 'closed' });
  await db.close();
  return db;
}

/** The call of producers whose Redis is nowhere. */
function createUnreachable(): WorkerHarness['producers']['addInboundMessages'] {
  const gone = createProducers({ redisUrl: 'redis://127.0.0.1:1', log: harness.log.log, deadlineMs: 1_000 });
  return (handed) => gone.addInboundMessages(handed).finally(() => gone.close());
}
