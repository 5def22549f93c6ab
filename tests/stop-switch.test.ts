import { afterAll, beforeAll, expect, it } from 'vitest';
import { randomPhone, waitFor } from '@tickmark/testing';
import { runCli } from '../apps/cli/src/run-cli.ts';
import { startPipeline, type Pipeline } from './support/pipeline.ts';

const CAMPAIGN_MESSAGES = 400;
const template = { contentSid: `HX${'1'.repeat(32)}`, contentVariables: { 1: 'Ada' } };

let pipeline: Pipeline;
// Four processes start at once, beside the other test files.
beforeAll(async () => {
  pipeline = await startPipeline();
}, 120_000);
afterAll(() => pipeline.stop(), 120_000);

/** Runs the command. @returns its answer, and when it was there */
async function tickmark(...args: string[]): Promise<{ answer: Record<string, unknown>; atMs: number }> {
  let out = '';
  let complaints = '';
  const code = await runCli([...args, '--reason', 'a test', '--json'], {
    env: pipeline.env,
    writeOut: (text) => (out += text),
    writeError: (text) => (complaints += text),
  });
  const atMs = Date.now();
  expect({ code, complaints }).toMatchObject({ code: 0 });
  return { answer: JSON.parse(out) as Record<string, unknown>, atMs };
}

async function accept(campaign: string, count: number): Promise<Set<string>> {
  const messages = Array.from({ length: count }, () => ({ to: randomPhone(), from: 'shop', campaign, ...template }));
  const answer = await pipeline.post('/v1/messages/batch', { messages });
  const { results } = (await answer.json()) as { results: { id: string }[] };
  return new Set(results.map(({ id }) => id));
}

/** When each message reached Twilio. */
async function callsOf(ids: ReadonlySet<string>): Promise<number[]> {
  const { creates } = await pipeline.ledger();
  return creates.filter(({ m }) => m !== null && ids.has(m)).map(({ at }) => Date.parse(at));
}

it.each([
  ['campaign', ['campaign', 'spring'], true],
  ['sender', ['sender', 'shop'], false],
  ['everything', ['all'], false],
])(
  'a stop of %s amid a campaign: nothing leaves after it was acknowledged, other campaigns go on where they may, and all goes out once it ends',
  async (_name, target, othersGoOn) => {
    await pipeline.control('settings', 'PUT', { latencyMs: 50 });
    const ids = await accept('spring', CAMPAIGN_MESSAGES);
    await waitFor(async () => (await callsOf(ids)).length > 20);
    const { answer, atMs } = await tickmark('pause', ...target);
    expect(answer).toMatchObject({ state: 'paused', opened: true });

    const others = await accept('autumn', 20);
    if (othersGoOn) await waitFor(async () => (await callsOf(others)).length === 20);
    const sweeps = () => pipeline.apps.worker?.output().split('sweep finished').length ?? 0;
    const before = sweeps();
    await waitFor(() => sweeps() > before, { timeoutMs: 25_000, message: 'a sweep' });
    const calls = await callsOf(ids);
    expect(calls.length).toBeLessThan(CAMPAIGN_MESSAGES);
    expect(calls.filter((callMs) => callMs > atMs)).toEqual([]);
    if (!othersGoOn) expect(await callsOf(others)).toEqual([]);
    console.log(`stop of ${target.join(' ')}: ${calls.length} of ${CAMPAIGN_MESSAGES} had left, 0 after ${JSON.stringify(answer)}`);

    await tickmark('resume', ...target);
    await waitFor(async () => (await callsOf(ids)).length === CAMPAIGN_MESSAGES && (await callsOf(others)).length === 20, {
      timeoutMs: 30_000,
      message: 'every message to be sent',
    });
    // Also so that no callback is left in Redis when the processes end.
    const unread = () => pipeline.db.sql`SELECT FROM whatsapp_messages WHERE status <> 'read' LIMIT 1`;
    await waitFor(async () => (await unread()).length === 0, { timeoutMs: 30_000, message: 'every message to be read' });
  },
  120_000,
);
