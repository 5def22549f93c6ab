// The promise: whatever arrives, the ingress neither fails nor grows, and goes on to take honest callbacks.
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { testRedis, waitFor } from '@tickmark/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startIngressProcess, type IngressProcess } from '../apps/ingress/src/fixtures/ingress-process.ts';
import { rawRequest, sendRaw } from '../apps/ingress/src/fixtures/send-raw.ts';
import { TIMEOUTS } from '../packages/http/src/create-server.ts';
import { chooseSeed, fullOrReduced } from './support/counts.ts';
import { fuzzInput, honestCallback, type FuzzInput } from './support/fuzz-inputs.ts';

const INPUTS = fullOrReduced(20_000, 3_000);
const WARM_UP = 2_000;
const CALLERS = 32;
/** Among so many inputs one honest callback. */
const HONEST_EVERY = 20;
/** Who asks for nothing that can be answered is left alone after this. */
const SILENCE_MS = 400;
const GROWTH_MAX = 1.5;
const RSS_MB_MAX = 350;
/** A slow caller is cut within 5 s; a busy machine may be late to do it, and to tell us. */
const CUT_MS_MAX = 5_000;
const NOISE_MS = 2_500;

const redis = testRedis();
let ingress: IngressProcess;
beforeAll(async () => {
  // Nobody may be written to, so that nothing waits in intake, where no worker takes it.
  ingress = await startIngressProcess(redis, { LOG_LEVEL: 'warn', ALLOWED_RECIPIENTS: '+15005550001' });
  await ingress.app.waitForReady(`${ingress.metricsUrl}/health/ready`, { timeoutMs: 60_000 });
}, 90_000);
afterAll(async () => {
  await ingress.app.kill();
  await redis.dropAll();
}, 60_000);

const honest = async () => (await sendRaw(ingress.url, honestCallback(ingress))).status;

function rssMb(): number {
  const text = readFileSync(`/proc/${ingress.app.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(text)?.[1]) / 1_024;
}

interface Tally {
  answers: Record<string, number>;
  failed: { index: number; kind: FuzzInput['kind']; text: string }[];
  honestRefused: number;
  peakMb: number;
}

/** Sends the inputs of this range over many connections at a time. */
async function fuzz(seed: number, from: number, to: number): Promise<Tally> {
  const tally: Tally = { answers: {}, failed: [], honestRefused: 0, peakMb: 0 };
  let next = from;
  const call = async (): Promise<void> => {
    for (let index = next++; index < to; index = next++) {
      const { kind, bytes } = fuzzInput(ingress, seed, index);
      // oxlint-disable-next-line no-await-in-loop -- one caller sends one after the other
      const { status, text } = await sendRaw(ingress.url, bytes, { timeoutMs: SILENCE_MS });
      tally.answers[String(status)] = (tally.answers[String(status)] ?? 0) + 1;
      if (/HTTP\/1\.1 5\d\d /.test(text)) tally.failed.push({ index, kind, text });
      if (index % HONEST_EVERY !== 0) continue;
      tally.peakMb = Math.max(tally.peakMb, rssMb());
      // oxlint-disable-next-line no-await-in-loop -- as above
      if ((await honest()) !== 204) tally.honestRefused += 1;
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, call));
  return tally;
}

it('whatever bytes come, no answer is a 5xx, memory stays, and honest callbacks are taken', { timeout: 900_000 }, async () => {
  const seed = chooseSeed();
  console.log(`fuzz: ${INPUTS} inputs, seed ${seed}`);
  await fuzz(seed, 0, WARM_UP);
  const warmMb = rssMb();
  const { answers, failed, honestRefused, peakMb } = await fuzz(seed, WARM_UP, WARM_UP + INPUTS);
  expect(await honest()).toBe(204);
  const endMb = rssMb();
  const mb = (value: number) => value.toFixed(0);
  console.log(
    `fuzz: answers ${JSON.stringify(answers)}, RSS ${mb(warmMb)} MB after warm-up, ${mb(peakMb)} at most, ${mb(endMb)} at the end; seed ${seed}`,
  );
  expect({ failed, honestRefused }).toEqual({ failed: [], honestRefused: 0 });
  expect(ingress.app.output()).not.toContain('"request failed"');
  expect(endMb / warmMb).toBeLessThanOrEqual(GROWTH_MAX);
  expect(peakMb).toBeLessThan(RSS_MB_MAX);
  expect((await fetch(`${ingress.metricsUrl}/health/live`)).status).toBe(200);
});

/** Sends a byte four times a second, never the last one. Resolves with the time until the connection ended. */
function drip(first: Buffer | string, byte: string): Promise<number> {
  const { hostname, port } = new URL(ingress.url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let startedMs = 0;
    let timer: NodeJS.Timeout | undefined;
    socket.on('connect', () => {
      startedMs = performance.now();
      socket.write(first);
      if (byte !== '') timer = setInterval(() => socket.write(byte), 250);
    });
    socket.resume();
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearInterval(timer);
      resolve(performance.now() - startedMs);
    });
  });
}

it('slow callers are cut within five seconds, while honest callbacks are taken', { timeout: 120_000 }, async () => {
  const body = (path: string, headers = {}) => rawRequest({ target: path, headers: { 'content-length': '4000', ...headers } });
  const bearer = { authorization: `Bearer ${ingress.apiKey}`, 'content-type': 'application/json' };
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const kinds: Record<string, () => Promise<number>> = {
    'headers dripping': () => drip('POST /webhooks/twilio/status HTTP/1.1\r\nHost: x\r\n', 'X: y\r\n'),
    'a header dripping': () => drip('POST /webhooks/twilio/status HTTP/1.1\r\nHost: x\r\nX: ', 'y'),
    'a webhook dripping': () => drip(body('/webhooks/twilio/status', form), 'x'),
    'a message dripping': () => drip(body('/v1/messages', bearer), ' '),
    'a batch dripping': () => drip(body('/v1/messages/batch', { ...bearer, 'content-length': '4000000' }), ' '),
    'a refused body dripping': () => drip(body('/v1/messages', form), 'x'),
    silence: () => drip('', ''),
  };
  let slow = 0;
  const cuts = Object.entries(kinds).map(async ([kind, begin]) => {
    slow += 40;
    const times = await Promise.all(Array.from({ length: 40 }, begin));
    slow -= 40;
    return [kind, Math.round(Math.max(...times))] as const;
  });
  const answers: (number | null)[] = [];
  await waitFor(
    async () => {
      answers.push(...(await Promise.all([honest(), honest(), honest(), honest()])));
      return slow === 0;
    },
    { timeoutMs: 60_000, message: 'the slow callers to be cut' },
  );
  // The promise; the times themselves are those of a busy machine.
  expect(Math.max(TIMEOUTS.requestTimeoutMs, TIMEOUTS.headersTimeoutMs) + TIMEOUTS.checkIntervalMs).toBeLessThanOrEqual(CUT_MS_MAX);
  const slowest = Object.fromEntries(await Promise.all(cuts));
  console.log(`slow callers: cut after at most ${JSON.stringify(slowest)} ms, ${answers.length} honest callbacks meanwhile`);
  expect(new Set(answers)).toEqual(new Set([204]));
  for (const ms of Object.values(slowest)) expect(ms).toBeLessThan(CUT_MS_MAX + NOISE_MS);
});
