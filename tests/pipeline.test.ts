import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomBody, randomPhone, waitFor } from '@tickmark/testing';
import { startPipeline, type Pipeline } from './support/pipeline.ts';

let pipeline: Pipeline;
// Four processes start at once, beside the other test files.
beforeAll(async () => {
  pipeline = await startPipeline();
}, 120_000);
afterAll(() => pipeline.stop(), 120_000);

const template = { contentSid: `HX${'1'.repeat(32)}`, contentVariables: { 1: 'Ada' } };

async function accept(request: Record<string, unknown>, headers?: Record<string, string>): Promise<string> {
  const answer = await pipeline.post('/v1/messages', request, headers);
  const body = (await answer.json()) as { id: string };
  expect([answer.status, body]).toMatchObject([202, { status: 'accepted' }]);
  return body.id;
}

async function untilStatus(id: string, status: string) {
  await waitFor(async () => (await pipeline.db.sql`SELECT 1 FROM whatsapp_messages WHERE id = ${id} AND status = ${status}`).length === 1, {
    message: `message ${id} to be ${status}`,
    timeoutMs: 25_000,
  });
}

async function show(idOrSid: string): Promise<Record<string, unknown>> {
  const answer = await fetch(`${pipeline.urls.console}/v1/messages/${idOrSid}`, {
    headers: { authorization: `Bearer ${pipeline.secrets.apiKey}` },
  });
  expect(answer.status).toBe(200);
  return (await answer.json()) as Record<string, unknown>;
}

it('a message travels from the request to the read receipt, and the console tells its way', async () => {
  const metadata = { order: '4711' };
  const to = randomPhone();
  const id = await accept({ to, from: 'shop', ...template, campaign: 'autumn', category: 'utility', priority: 'transactional', metadata });
  await untilStatus(id, 'read');
  const message = await show(id);
  expect(message).toMatchObject({
    id,
    status: 'read',
    sender: 'shop',
    from: pipeline.senders.shop,
    to: `whatsapp:${to}`,
    producer: 'shop',
    campaign: 'autumn',
    priority: 'transactional',
    attempts: 1,
    errorCode: null,
    error: null,
    contradicted: false,
    sendAt: null,
    retryOf: null,
    metadata,
  });
  expect(await show(String(message['messageSid']))).toEqual(message);
  const timeline = message['timeline'] as { kind: string; status: string }[];
  expect(timeline.filter(({ kind }) => kind === 'callback').map(({ status }) => status)).toEqual(['sent', 'delivered', 'read']);
  const { creates } = await pipeline.ledger(`?m=${id}`);
  expect(creates).toMatchObject([{ outcome: 'created', m: id, a: 1, sid: message['messageSid'] }]);
});

it('a free text reaches a person who wrote to us first, and the inbound message is stored once', async () => {
  const person = randomPhone();
  const written = await pipeline.control('inbound', 'POST', { from: person, to: pipeline.senders.support, body: randomBody(), times: 3 });
  const { messageSid } = (await written.json()) as { messageSid: string };
  const id = await accept({ to: person, from: 'support', body: randomBody() });
  await untilStatus(id, 'read');
  await waitFor(
    async () => (await pipeline.db.sql`SELECT 1 FROM customer_service_windows WHERE recipient = ${`whatsapp:${person}`}`).length === 1,
  );
  expect(await pipeline.db.sql`SELECT 1 FROM inbound_messages WHERE message_sid = ${messageSid}`).toHaveLength(1);
});

it('a Messaging Service send that Twilio answers with "accepted" is created once, also after a sweep', async () => {
  const id = await accept({ to: '+15001000004', from: 'news', ...template });
  await untilStatus(id, 'queued');
  const [create] = (await pipeline.ledger(`?m=${id}`)).creates;
  const { env } = pipeline;
  const url = `${pipeline.urls.simulator}/2010-04-01/Accounts/${env['TWILIO_ACCOUNT_SID']}/Messages/${create?.sid}.json`;
  const basic = Buffer.from(`${env['TWILIO_API_KEY_SID']}:${env['TWILIO_API_KEY_SECRET']}`).toString('base64');
  const resource = (await (await fetch(url, { headers: { authorization: `Basic ${basic}` } })).json()) as Record<string, unknown>;
  expect(resource['messaging_service_sid']).toBe(pipeline.senders.news);

  const sweeps = () => pipeline.apps.worker!.output().split('sweep finished').length;
  const before = sweeps();
  await waitFor(() => sweeps() > before + 1, { timeoutMs: 25_000, message: 'two sweeps' });
  expect((await pipeline.ledger(`?m=${id}`)).creates).toHaveLength(1);
  expect(await pipeline.db.sql`SELECT status, attempts FROM whatsapp_messages WHERE id = ${id}`).toEqual([
    { status: 'queued', attempts: 1 },
  ]);
});

describe('what Twilio does to a message', () => {
  const cases: [name: string, code: string, status: string, errorCode: number | null, creates: number][] = [
    ['two throttled tries', '42902', 'read', null, 3],
    ['a callback before the answer', '00016', 'read', null, 1],
    ['a reset after the message was created', '50001', 'read', null, 1],
    ['a 503 after the message was created', '50003', 'read', null, 1],
    ['every callback twice', '00011', 'read', null, 1],
    ['callbacks in reverse order', '00012', 'read', null, 1],
    ['an unknown status word', '00014', 'read', null, 1],
    ['undelivered, then delivered after all', '00013', 'delivered', null, 1],
    ['a refusal', '21211', 'failed', 21211, 1],
    ['an undelivered message', '63024', 'undelivered', 63024, 1],
  ];
  it.each(cases)('%s (%s) ends as %s %s after %i creates', async (_name, code, status, errorCode, creates) => {
    const id = await accept({ to: `+150077${code}`, from: 'shop', ...template });
    await untilStatus(id, status);
    const message = await show(id);
    expect(message).toMatchObject({ status, errorCode });
    expect(message['error']).toEqual(errorCode === null ? null : expect.objectContaining({ code: errorCode, remedy: expect.any(String) }));
    const ledger = await pipeline.ledger(`?m=${id}`);
    expect(ledger.creates).toHaveLength(creates);
    expect(ledger.creates.filter(({ outcome }) => outcome !== 'refused').length).toBeLessThanOrEqual(1);
  });
});

it('the same Idempotency-Key is one message, also when both requests are under way at once', async () => {
  const request = { to: randomPhone(), from: 'shop', ...template };
  const headers = { 'idempotency-key': 'order-4711' };
  const [first, second] = await Promise.all([accept(request, headers), accept(request, headers)]);
  expect(second).toBe(first);
  await untilStatus(first, 'read');
  expect((await pipeline.ledger(`?m=${first}`)).creates).toHaveLength(1);
  const found = await fetch(`${pipeline.urls.console}/v1/messages?idempotencyKey=order-4711`, {
    headers: { authorization: `Bearer ${pipeline.secrets.apiKey}` },
  });
  expect(await found.json()).toMatchObject({ items: [{ id: first }] });
  const other = await pipeline.post('/v1/messages', { ...request, campaign: 'other' }, headers);
  expect([other.status, await other.json()]).toMatchObject([422, { error: { code: 'IDEMPOTENCY_KEY_REUSED' } }]);
});

it('the metrics of ingress and worker show the flow, and no label holds a phone, a sid or the account', async () => {
  const read = async (name: 'ingress' | 'worker') => (await fetch(`${pipeline.internal[name]}/metrics`)).text();
  const [ingress, worker] = [await read('ingress'), await read('worker')];
  const value = (text: string, line: RegExp) => Number(new RegExp(`^${line.source} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
  expect(value(ingress, /tickmark_callbacks_received_total\{result="queued"\}/)).toBeGreaterThan(20);
  expect(value(worker, /tickmark_send_attempts_total\{sender="shop",outcome="accepted"\}/)).toBeGreaterThan(5);
  expect(value(worker, /tickmark_send_attempts_total\{sender="shop",outcome="throttled"\}/)).toBeGreaterThanOrEqual(2);
  expect(value(worker, /tickmark_message_status_total\{status="read"\}/)).toBeGreaterThan(5);
  // The undelivered message, and the one that was delivered after all.
  expect(value(worker, /tickmark_message_errors_total\{code="63024",class="recipient"\}/)).toBe(2);
  expect(worker).toMatch(/^tickmark_queue_jobs\{queue="send-shop",state="waiting"\} /m);
  for (const text of [ingress, worker]) {
    const labels = [...text.matchAll(/\{([^}]*)\}/g)].map((match) => match[1]).join('\n');
    expect(labels).not.toMatch(/\+?\d{9,}|whatsapp:|[0-9a-f]{32}/);
    for (const secret of Object.values(pipeline.secrets)) expect(text).not.toContain(secret);
  }
});
