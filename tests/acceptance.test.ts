// What a producer may rely on, whatever it repeats, cancels or schedules: through every process, judged by the simulator's ledger.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageIdFor, newMessageId, parseSenders, prepareMessage } from '@tickmark/domain';
import { createMessageProducer, createProducers } from '@tickmark/queues';
import { captureLogger, openTcpGate, randomPhone, randomSid, spawnProcess, testFolder, waitFor, type TcpGate } from '@tickmark/testing';
import { signRequest } from '@tickmark/twilio';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPipeline, type Pipeline } from './support/pipeline.ts';

const template = { contentSid: `HX${'1'.repeat(32)}`, contentVariables: { 1: 'Ada' } };
const message = (values: object = {}) => ({ to: randomPhone(), from: 'shop', ...template, ...values });

let pipeline: Pipeline;
/** Between the second ingress and Redis. */
let gate: TcpGate;
/** The operator's own words to stop with. */
let words: string;
/** Of two processes with the same keys. */
let ingresses: string[];
beforeAll(async () => {
  words = join(testFolder('words'), 'stop-words.txt');
  writeFileSync(words, '+built-in\nBasta\n');
  pipeline = await startPipeline({ apps: ['ingress', 'worker', 'simulator'], env: { RATE_LIMIT_PER_KEY: '0', STOP_WORDS_FILE: words } });
  gate = await openTcpGate(pipeline.env['REDIS_URL'] ?? '');
  ingresses = [pipeline.urls.ingress, await pipeline.startIngress({ REDIS_URL: gate.url })];
}, 150_000);
afterAll(async () => {
  await pipeline.stop();
  await gate.close();
}, 120_000);

interface Answer {
  status: number;
  replayed: boolean;
  body: { id: string; status: string; error?: { code: string; details: { id: string } } };
}

async function ask(method: string, url: string, body?: unknown, key?: string): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: {
      authorization: `Bearer ${pipeline.secrets.apiKey}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const replayed = response.headers.get('idempotency-replayed') === 'true';
  return { status: response.status, replayed, body: (await response.json()) as Answer['body'] };
}

/** Repeats what a machine under load did not do in time, as a producer does. */
async function askUntilAnswered(...request: Parameters<typeof ask>): Promise<Answer> {
  return waitFor(
    async () => {
      const answer = await ask(...request);
      return answer.status !== 503 && answer.body.status !== 'cancel_requested' && answer;
    },
    { timeoutMs: 25_000, message: 'an answer that is no 503' },
  );
}

const post = (body: unknown, key?: string, url = pipeline.urls.ingress) => askUntilAnswered('POST', `${url}/v1/messages`, body, key);
const remove = (id: string) => askUntilAnswered('DELETE', `${pipeline.urls.ingress}/v1/messages/${id}`);
const later = (afterMs = 7_200_000) => new Date(Date.now() + afterMs).toISOString();

async function rowOf(id: string) {
  const rows = await pipeline.db.sql<{ status: string; attempts: number; producer: string }[]>`
    SELECT status, attempts, producer FROM whatsapp_messages WHERE id = ${id}`;
  return rows[0];
}

async function untilStatus(id: string, status: string) {
  await waitFor(async () => (await rowOf(id))?.status === status, { message: `message ${id} to be ${status}`, timeoutMs: 25_000 });
}

const creates = async (id: string) => (await pipeline.ledger(`?m=${id}`)).creates;

describe('an idempotency key', () => {
  it('200 times at once over two ingresses is one message, and another body under it is none', async () => {
    const asked = message();
    const answers = await Promise.all(Array.from({ length: 200 }, (_, index) => post(asked, 'often', ingresses[index % 2])));
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.id}`))).toEqual(new Set([`202 ${messageIdFor('shop', 'often')}`]));
    const id = answers[0]?.body.id ?? '';
    await untilStatus(id, 'read');
    expect(await rowOf(id)).toMatchObject({ attempts: 1 });
    expect(await pipeline.db.sql`SELECT 1 FROM whatsapp_messages WHERE recipient = ${`whatsapp:${asked.to}`}`).toHaveLength(1);
    expect(await creates(id)).toHaveLength(1);
    console.info(`200 requests, ${answers.filter(({ replayed }) => replayed).length} replayed, 1 message`);

    for (const url of ingresses) {
      const other = await post({ ...asked, campaign: 'other' }, 'often', url);
      expect(other).toMatchObject({ status: 422, body: { error: { code: 'IDEMPOTENCY_KEY_REUSED' } } });
    }
    expect((await pipeline.ledger(`?to=${encodeURIComponent(`whatsapp:${asked.to}`)}`)).creates).toHaveLength(1);
  });

  it('whose marker is there but whose add was lost is sent by its repeat', async () => {
    const asked = message();
    const redis = { redisUrl: pipeline.env['REDIS_URL'] ?? '', base: pipeline.env['QUEUE_PREFIX'] ?? '' };
    const producers = createProducers({ ...redis, log: captureLogger().log, deadlineMs: 20_000 });
    const policy = {
      mode: 'simulator' as const,
      senders: parseSenders(pipeline.env['TWILIO_SENDERS'] ?? ''),
      allowedRecipients: () => undefined,
    };
    const id = messageIdFor('shop', 'lost') ?? '';
    const marked = prepareMessage(asked, id, { producer: 'shop', aliases: null, policy, now: new Date() });
    expect(await producers.markIdempotent([marked])).toEqual([null]);
    await producers.close();
    expect(await post(asked, 'lost')).toMatchObject({ status: 202, replayed: true, body: { id } });
    await untilStatus(id, 'read');
    expect(await creates(id)).toHaveLength(1);
  });

  it('gives a batch that comes four times over two ingresses its messages once', async () => {
    const batch = { messages: Array.from({ length: 25 }, () => message()) };
    const answers = await Promise.all(
      [0, 1, 0, 1].map((index) => askUntilAnswered('POST', `${ingresses[index]}/v1/messages/batch`, batch, 'twice')),
    );
    for (const answer of answers) expect(answer).toMatchObject({ status: 202, body: { accepted: 25, rejected: 0 } });
    const ids = batch.messages.map((_one, index) => messageIdFor('shop', `twice/${index}`) ?? '');
    await Promise.all(ids.map((id) => untilStatus(id, 'read')));
    expect(await Promise.all(ids.map(async (id) => (await creates(id)).length))).toEqual(ids.map(() => 1));
  });

  it('made of the id of an unknown acceptance leads to that message, which had been accepted', async () => {
    const asked = message();
    gate.stall('answers');
    const lost = await waitFor(
      async () => {
        const answer = await ask('POST', `${ingresses[1]}/v1/messages`, asked);
        return answer.body.error?.code === 'ACCEPTANCE_UNKNOWN' && answer;
      },
      { timeoutMs: 25_000 },
    );
    await gate.open();
    const { id } = lost.body.error?.details ?? { id: '' };
    // Redis had done as it was asked: only its answer was lost.
    await untilStatus(id, 'read');
    expect(await post(asked, `id:${id}`)).toMatchObject({ status: 202, body: { id } });
    expect(await post(asked, `id:${id}`, ingresses[1])).toMatchObject({ status: 202, body: { id } });
    // One message that was added after both of them has gone all the way.
    await untilStatus((await post(message())).body.id, 'read');
    expect(await creates(id)).toHaveLength(1);
  });
});

describe('a message for later', () => {
  it('is not sent before its time', async () => {
    const sendAt = later(4_000);
    const { body } = await post(message({ sendAt }));
    expect(body.status).toBe('scheduled');
    await untilStatus(body.id, 'read');
    const [create] = await creates(body.id);
    expect(Date.parse(create?.at ?? '')).toBeGreaterThanOrEqual(Date.parse(sendAt));
    expect(await rowOf(body.id)).toMatchObject({ attempts: 1 });
  });

  it('that is canceled, also twice at once, is not sent and stays canceled', async () => {
    const { id } = (await post(message({ sendAt: later(8_000) }))).body;
    await untilStatus(id, 'scheduled');
    const answers = await Promise.all([remove(id), remove(id)]);
    for (const answer of answers) expect(answer).toMatchObject({ status: 200, body: { id, status: 'canceled' } });
    expect(await remove(id)).toMatchObject({ status: 200, body: { status: 'canceled' } });
    // Another one that is due a moment after it has gone all the way.
    await untilStatus((await post(message({ sendAt: later(8_500) }))).body.id, 'read');
    expect(await rowOf(id)).toMatchObject({ status: 'canceled', attempts: 0 });
    expect(await creates(id)).toEqual([]);
  });
});

describe('a cancellation', () => {
  it('while the call is under way, and after it, says that the message is sent already', async () => {
    await pipeline.control('settings', 'PUT', { latencyMs: 3_000 });
    const { id } = (await post(message())).body;
    await untilStatus(id, 'sending');
    expect(await remove(id)).toMatchObject({ status: 409, body: { error: { code: 'MESSAGE_ALREADY_SENT' } } });
    await pipeline.control('settings', 'PUT', { latencyMs: 0 });
    await untilStatus(id, 'read');
    expect(await remove(id)).toMatchObject({ status: 409, body: { error: { code: 'MESSAGE_ALREADY_SENT' } } });
    expect(await creates(id)).toHaveLength(1);
  });

  it('that overtakes its message wins, although it was told that there is none', async () => {
    const id = messageIdFor('shop', 'overtaken') ?? '';
    expect(await remove(id)).toMatchObject({ status: 404, body: { error: { code: 'MESSAGE_NOT_FOUND' } } });
    expect((await post(message(), 'overtaken')).body).toMatchObject({ id });
    await untilStatus(id, 'canceled');
    expect(await remove(id)).toMatchObject({ status: 200, body: { status: 'canceled' } });
    expect(await creates(id)).toEqual([]);
  });

  it('of a refused message says that it has ended', async () => {
    const { id } = (await post(message({ to: '+15007721211' }))).body;
    await untilStatus(id, 'failed');
    expect(await remove(id)).toMatchObject({ status: 409, body: { error: { code: 'MESSAGE_FINAL' } } });
  });

  it('is carried out when the worker comes back, which nobody waited for', async () => {
    const { id } = (await post(message({ sendAt: later() }))).body;
    await untilStatus(id, 'scheduled');
    pipeline.apps.worker?.signal('SIGSTOP');
    try {
      const answer = await ask('DELETE', `${pipeline.urls.ingress}/v1/messages/${id}`);
      expect(answer).toMatchObject({ status: 202, body: { id, status: 'cancel_requested' } });
    } finally {
      pipeline.apps.worker?.signal('SIGCONT');
    }
    await untilStatus(id, 'canceled');
    expect(await remove(newMessageId())).toMatchObject({ status: 404 });
  });
});

describe('who asks to be written to no more, or again', () => {
  const PATH = '/webhooks/twilio/inbound';
  const write = async (ingress: string | undefined, from: string, text: string) => {
    const { PUBLIC_BASE_URL = '', TWILIO_AUTH_TOKEN = '', TWILIO_ACCOUNT_SID = '' } = pipeline.env;
    const params = { MessageSid: randomSid(), AccountSid: TWILIO_ACCOUNT_SID, From: from, To: pipeline.senders.shop, Body: text };
    const signature = signRequest({ token: TWILIO_AUTH_TOKEN, url: PUBLIC_BASE_URL + PATH, params });
    const headers = { 'x-twilio-signature': signature };
    const answer = await fetch(`${ingress}${PATH}`, { method: 'POST', body: new URLSearchParams(params), headers });
    expect(answer.status).toBe(200);
    return params.MessageSid;
  };
  const isStored = async (sid: string) => (await pipeline.db.sql`SELECT FROM inbound_messages WHERE message_sid = ${sid}`).length === 1;
  const isSuppressed = async (recipient: string) => {
    const rows = await pipeline.db.sql<{ suppressed: boolean }[]>`
      SELECT suppressed FROM suppressions WHERE recipient = ${recipient} AND category = 'all'`;
    return rows[0]?.suppressed;
  };

  it('has the later word, also when the earlier one waited on the disk of an ingress without Redis', async () => {
    const [direct, cutOff] = ingresses;
    const [free, stopped] = [`whatsapp:${randomPhone()}`, `whatsapp:${randomPhone()}`];
    await gate.close();
    try {
      const early = [await write(cutOff, free, 'STOP')];
      await write(direct, free, 'start');
      await waitFor(async () => (await isSuppressed(free)) === false, { timeoutMs: 25_000 });
      await write(direct, stopped, 'Start');
      await waitFor(async () => (await isSuppressed(stopped)) === false, { timeoutMs: 25_000 });
      early.push(await write(cutOff, stopped, 'Arrêt.'));
      expect(await Promise.all(early.map(isStored))).toEqual([false, false]);
      await gate.open();
      await waitFor(async () => (await Promise.all(early.map(isStored))).every(Boolean), { timeoutMs: 25_000 });
    } finally {
      await gate.open();
    }
    await waitFor(async () => (await isSuppressed(stopped)) === true, { timeoutMs: 25_000 });
    expect(await isSuppressed(free)).toBe(false);
    const ids = await Promise.all([free, stopped].map(async (to) => (await post(message({ to }))).body.id));
    await Promise.all([untilStatus(ids[0] ?? '', 'read'), untilStatus(ids[1] ?? '', 'suppressed')]);
  });

  it('may do so with words of a file, which is read again when it changes', async () => {
    const [one, other] = [`whatsapp:${randomPhone()}`, `whatsapp:${randomPhone()}`];
    await write(ingresses[0], one, 'basta!');
    await waitFor(async () => (await isSuppressed(one)) === true, { timeoutMs: 25_000 });
    await waitFor(() => write(ingresses[0], other, 'No más').then(isStored), { timeoutMs: 25_000 });
    expect(await isSuppressed(other)).toBeUndefined();
    writeFileSync(words, '+built-in\nno mas\n');
    const isHeard = async () => {
      await write(ingresses[0], other, 'No más');
      return (await isSuppressed(other)) === true;
    };
    await waitFor(isHeard, { timeoutMs: 25_000, message: 'the new words to count' });
  });

  it('opens the window when the ingress heard of it, however late it is stored', async () => {
    const from = `whatsapp:${randomPhone()}`;
    await gate.close();
    const before = new Date();
    const sid = await write(ingresses[1], from, 'hello');
    const after = new Date();
    await gate.open();
    await waitFor(() => isStored(sid), { timeoutMs: 25_000 });
    const [window] = await pipeline.db.sql<
      { at: Date }[]
    >`SELECT last_inbound_at AS at FROM customer_service_windows WHERE recipient = ${from}`;
    expect(window?.at.getTime()).toBeGreaterThanOrEqual(before.getTime());
    expect(window?.at.getTime()).toBeLessThanOrEqual(after.getTime());
  });
});

describe('a producer in a process of its own', () => {
  it('has the keys of an API key of the same name, and the same messages', async () => {
    const asked = message();
    const producer = createMessageProducer({
      redisUrl: pipeline.env['REDIS_URL'] ?? '',
      base: pipeline.env['QUEUE_PREFIX'] ?? '',
      producer: 'shop',
      senders: parseSenders(pipeline.env['TWILIO_SENDERS'] ?? ''),
      mode: 'simulator',
      log: captureLogger().log,
    });
    const mine = await waitFor(() => producer.send(asked, { idempotencyKey: 'shared' }), { timeoutMs: 25_000 });
    expect(await post(asked, 'shared')).toMatchObject({ replayed: true, body: { id: mine.id } });
    await untilStatus(mine.id, 'read');
    expect(await waitFor(() => producer.cancel(mine.id))).toBe('already_sent');
    await producer.close();
    expect(await creates(mine.id)).toHaveLength(1);
  });

  it('answers what people wrote, as the example shows it, once although Twilio repeats it', async () => {
    const example = spawnProcess({ entry: 'examples/inbound-consumer.ts', env: pipeline.env });
    const person = randomPhone();
    const write = async (body: string, times = 1) => {
      const to = parseSenders(pipeline.env['TWILIO_SENDERS'] ?? '')[0]?.address;
      const answer = await fetch(`${pipeline.urls.simulator}/_sim/inbound`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ from: person, to, body, times }),
      });
      return ((await answer.json()) as { messageSid: string }).messageSid;
    };
    const sid = await write('Where is my order?', 3);
    const find = () => new RegExp(`^${sid} answered with (\\S+)$`, 'm').exec(example.output())?.[1];
    const id = await waitFor(find, { timeoutMs: 25_000, message: 'the answer' });
    await untilStatus(id, 'read');
    const stop = await write('Stop!');
    await waitFor(() => example.output().includes(`${stop} stop`), { timeoutMs: 25_000 });
    example.signal('SIGTERM');
    expect(await example.exited).toEqual({ code: 0, signal: null });
    expect(example.output().match(new RegExp(`${sid} answered`, 'g'))).toHaveLength(1);
    const { id: unwanted } = (await post({ to: person, body: 'A goodbye' })).body;
    await untilStatus(unwanted, 'suppressed');
  });

  it('runs as the example shows it', async () => {
    const example = spawnProcess({ entry: 'examples/in-process-producer.ts', args: [randomPhone()], env: pipeline.env });
    expect(await example.exited).toEqual({ code: 0, signal: null });
    const [, sent = '', canceled = ''] =
      /^(\S+) accepted\n(\S+) scheduled, then cancel.*\nitem 1 refused: .* to: must be/m.exec(example.output()) ?? [];
    await untilStatus(sent, 'read');
    await untilStatus(canceled, 'canceled');
    expect(await rowOf(sent)).toMatchObject({ producer: 'billing', attempts: 1 });
  });
});
