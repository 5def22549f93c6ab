import { inboundMessage, waitFor } from '@tickmark/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createWorkerHarness, type WorkerHarness } from './fixtures/worker-harness.ts';

let harness: WorkerHarness;
let readingsMade = 0;
beforeAll(async () => {
  harness = await createWorkerHarness();
  const { producers } = harness.deps;
  const oldestInboundAgeMs = () => producers.oldestInboundAgeMs().finally(() => (readingsMade += 1));
  harness.deps.producers = { ...producers, oldestInboundAgeMs };
});
afterAll(() => harness.close());

const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();
/** Time for everything that follows what is read every second. */
async function readings(count: number): Promise<void> {
  const from = readingsMade;
  await waitFor(() => readingsMade >= from + count);
}

const isPaused = async () => (await harness.metrics.circuitOpen.get()).values.find(({ labels }) => labels['scope'] === 'inbound')?.value;
const said = (text: string) => harness.log.lines().some(({ msg }) => String(msg).startsWith(text));

it('after an outage nobody is written to before the inbound messages are stored that may hold a STOP', async () => {
  const worker = harness.start();
  await waitFor(async () => (await worker.readiness()).ready);
  const stop = inboundMessage({ to: harness.sender.address, body: 'STOP', receivedAt: minutesAgo(2) });
  const [toThem, toOthers] = [harness.message({ recipient: stop.from }), harness.message()];
  await harness.db.sql.begin(async (holder) => {
    await holder`LOCK TABLE inbound_messages IN ACCESS EXCLUSIVE MODE`;
    await harness.producers.addInbound([stop]);
    await waitFor(() => said('sending pauses'));
    await waitFor(async () => (await isPaused()) === 1);
    await harness.producers.addIntake([toThem, toOthers], 'bulk');
    await waitFor(async () => (await harness.row(toOthers.id))?.status === 'accepted');
    await readings(2);
    for (const { id } of [toThem, toOthers]) expect(await harness.row(id)).toMatchObject({ status: 'accepted', attempts: 0 });
  });
  await waitFor(async () => (await harness.row(toThem.id))?.status === 'suppressed', { timeoutMs: 30_000 });
  await waitFor(async () => (await harness.row(toOthers.id))?.status === 'queued', { timeoutMs: 30_000 });
  expect(said('sending goes on')).toBe(true);
  expect(await isPaused()).toBe(0);
}, 90_000);

it('a message from a person that is young stops nothing', async () => {
  const message = harness.message();
  await harness.db.sql.begin(async (holder) => {
    await holder`LOCK TABLE inbound_messages IN ACCESS EXCLUSIVE MODE`;
    await harness.producers.addInbound([inboundMessage({ to: harness.sender.address })]);
    await harness.producers.addIntake([message], 'bulk');
    await waitFor(async () => (await harness.row(message.id))?.status === 'queued', { timeoutMs: 30_000 });
  });
}, 60_000);

it('messages that no worker understands stop nothing, however old they are', async () => {
  const newer = { ...inboundMessage({ to: harness.sender.address, receivedAt: minutesAgo(2) }), newerField: 1 };
  await harness.producers.addInbound([newer]);
  await waitFor(() => harness.log.lines().some(({ msg }) => String(msg).startsWith('payload of another version')));
  await readings(2);
  const message = harness.message();
  await harness.producers.addIntake([message], 'bulk');
  await waitFor(async () => (await harness.row(message.id))?.status === 'queued', { timeoutMs: 30_000 });
  await harness.redis.dropQueue('inbound');
}, 60_000);
