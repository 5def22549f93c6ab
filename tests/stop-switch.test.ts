import { afterAll, beforeAll, expect, it } from 'vitest';
import { randomPhone, waitFor } from '@tickmark/testing';
import { startPipeline, type Pipeline } from './support/pipeline.ts';
import { tickmark } from './support/tickmark.ts';

/** At 25 per second they take five seconds: long enough to be stopped in between. */
const CAMPAIGN_MESSAGES = 120;
const MPS = { support: 25, shop: 25, news: 25 };
const template = { contentSid: `HX${'1'.repeat(32)}`, contentVariables: { 1: 'Ada' } };

let pipeline: Pipeline;
// Three processes start at once, beside the other test files. Callbacks are no part of this.
beforeAll(async () => {
  pipeline = await startPipeline({ apps: ['ingress', 'worker', 'simulator'], mps: MPS, env: { STATUS_CALLBACKS: 'off' } });
}, 120_000);
afterAll(() => pipeline.stop(), 120_000);

/** @returns the recipients, each of whom gets one message */
async function accept(campaign: string, count: number): Promise<Set<string>> {
  const messages = Array.from({ length: count }, () => ({ to: randomPhone(), from: 'shop', campaign, ...template }));
  const answer = await pipeline.post('/v1/messages/batch', { messages });
  expect(await answer.json()).toMatchObject({ accepted: count });
  return new Set(messages.map(({ to }) => `whatsapp:${to}`));
}

/** When each message reached Twilio. */
async function callsOf(recipients: ReadonlySet<string>): Promise<number[]> {
  const { creates } = await pipeline.ledger();
  return creates.filter(({ to }) => recipients.has(to)).map(({ at }) => Date.parse(at));
}

it.each([
  ['campaign', ['campaign', 'spring'], true],
  ['sender', ['sender', 'shop'], false],
  ['everything', ['all'], false],
])(
  'a stop of %s amid a campaign: nothing leaves after it was acknowledged, other campaigns go on where they may, and all goes out once it ends',
  async (_name, target, othersGoOn) => {
    await pipeline.control('settings', 'PUT', { latencyMs: 50 });
    const spring = await accept('spring', CAMPAIGN_MESSAGES);
    await waitFor(async () => (await callsOf(spring)).length > 10, { intervalMs: 100 });
    const { answer, atMs } = await tickmark(pipeline, 'pause', ...target);
    expect(answer).toMatchObject({ state: 'paused', opened: true });

    const autumn = await accept('autumn', 20);
    if (othersGoOn) await waitFor(async () => (await callsOf(autumn)).length === 20, { timeoutMs: 30_000, intervalMs: 250 });
    const sweeps = () => pipeline.apps.worker?.output().split('sweep finished').length ?? 0;
    const before = sweeps();
    await waitFor(() => sweeps() > before, { timeoutMs: 25_000, message: 'a sweep' });
    const calls = await callsOf(spring);
    expect(calls.length).toBeLessThan(CAMPAIGN_MESSAGES);
    expect(calls.filter((callMs) => callMs > atMs)).toEqual([]);
    if (!othersGoOn) expect(await callsOf(autumn)).toEqual([]);
    console.log(`stop of ${target.join(' ')}: ${calls.length} of ${CAMPAIGN_MESSAGES} had left, 0 after ${JSON.stringify(answer)}`);

    await tickmark(pipeline, 'resume', ...target);
    await waitFor(async () => (await callsOf(spring)).length === CAMPAIGN_MESSAGES && (await callsOf(autumn)).length === 20, {
      timeoutMs: 60_000,
      intervalMs: 250,
      message: 'every message to be sent',
    });
  },
  120_000,
);
