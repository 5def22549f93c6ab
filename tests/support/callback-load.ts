// The process that stands for Twilio in tests of the ingress: it sends signed status callbacks at a given rate, each once and never again,
// and tells what became of each.
import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { signRequest } from '@tickmark/twilio';
import type { Answered, CallbackPlan, LoadOrder, OrderDone, SentCallback } from './send-callbacks.ts';

const TICK_MS = 20;
/** What the connection overrides of our StatusCallback URL give an answer. */
const READ_TIMEOUT_MS = 4_000;

const agent = new Agent({ keepAlive: true, maxSockets: 64 });
let plan: CallbackPlan = { callbacks: [], publicBaseUrl: '', targetUrl: '', token: '' };
let next = 0;

process.on('message', (message: CallbackPlan | LoadOrder) => {
  if ('callbacks' in message) plan = message;
  else void carryOut(message);
});
process.on('disconnect', () => process.exit());

async function carryOut({ label, count, perSecond }: LoadOrder): Promise<void> {
  const startMs = performance.now();
  const answers: Promise<Answered>[] = [];
  while (answers.length < count) {
    const due = Math.min(count, Math.ceil(((performance.now() - startMs) / 1_000) * perSecond));
    while (answers.length < due) answers.push(sendOne(next++ % plan.callbacks.length));
    // oxlint-disable-next-line no-await-in-loop -- the pace
    await pause(TICK_MS);
  }
  const done: OrderDone = { done: label, answers: await Promise.all(answers) };
  process.send?.(done);
}

async function sendOne(index: number): Promise<Answered> {
  const answer = await post(plan.callbacks[index] ?? { path: '', params: {} });
  return { index, ...answer };
}

function post({ path, params }: SentCallback): Promise<Omit<Answered, 'index'>> {
  const { publicBaseUrl, targetUrl, token } = plan;
  const body = new URLSearchParams(params).toString();
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    'content-length': Buffer.byteLength(body),
    'x-twilio-signature': signRequest({ token, url: publicBaseUrl + path, params }),
  };
  return new Promise((resolve) => {
    // From when a connection is free for it: what waits for one before that has not been sent.
    let startMs = performance.now();
    const end = (status: number | null) => resolve({ status, ms: Math.round(performance.now() - startMs) });
    const sent = request(targetUrl + path, { method: 'POST', agent, headers }, (response) => {
      response.resume();
      response.once('close', () => end(response.statusCode ?? null));
    });
    sent.once('socket', () => (startMs = performance.now()));
    sent.setTimeout(READ_TIMEOUT_MS, () => sent.destroy());
    sent.once('error', () => end(null));
    sent.end(body);
  });
}
