// Compares every answer of the simulator, and every request that our client makes, with Twilio's own OpenAPI document:
//   npm run check:twilio-openapi -- <folder with api_v2010.json>
// The document is not part of this repository: it is in github.com/twilio/twilio-oai, folder spec/json.
import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { SendRequest } from '@tickmark/domain';
import { createLogger } from '@tickmark/runtime';
import { createMessagesClient } from '@tickmark/twilio';
import { readTwilioDocument, type Method, type TwilioDocument } from './twilio-openapi/document.ts';
import { startSimulator } from './twilio-openapi/start-simulator.ts';

const COLLECTION = '/2010-04-01/Accounts/{AccountSid}/Messages.json';
const INSTANCE = '/2010-04-01/Accounts/{AccountSid}/Messages/{Sid}.json';
const SENDER = 'whatsapp:+14155238886';
const SERVICE = `MG${'5'.repeat(32)}`;
const TEMPLATE = `HX${'1'.repeat(32)}`;
const TO = 'whatsapp:+12025550100';
const SETTLE_MS_MAX = 10_000;

const hex = () => randomBytes(16).toString('hex');
const account = {
  sid: `AC${hex()}`,
  apiKeySid: `SK${hex()}`,
  apiKeySecret: hex(),
  authToken: hex(),
  senders: `support@${SENDER}=80,news@${SERVICE}=400`,
};
const BASIC = `Basic ${Buffer.from(`${account.apiKeySid}:${account.apiKeySecret}`).toString('base64')}`;

interface Call {
  sid?: string;
  form?: Record<string, string>;
  query?: Record<string, string>;
  status: number;
  authorization?: string;
}

class Comparison {
  passed = 0;
  readonly failures: string[] = [];
  readonly #document: TwilioDocument;
  readonly #url: string;

  constructor(document: TwilioDocument, url: string) {
    this.#document = document;
    this.#url = url;
  }

  judge(label: string, problems: string[]): void {
    if (problems.length === 0) this.passed++;
    else this.failures.push([label, ...problems].join('\n    '));
  }

  /** One call of Twilio's API, its request (unless a refusal is meant) and its answer compared. Gives the sid that was answered. */
  async call(label: string, method: Method, path: string, { sid = '', form, query, status, authorization }: Call): Promise<string> {
    if (form && status < 400) this.judge(`request (${label})`, this.#document.problemsOfForm(path, form));
    if (query && status < 400) this.judge(`request (${label})`, this.#document.problemsOfQuery(path, query));
    const url = `${this.#url}${path.replace('{AccountSid}', account.sid).replace('{Sid}', sid)}?${new URLSearchParams(query).toString()}`;
    const answer = await fetch(url, {
      method: method.toUpperCase(),
      headers: { authorization: authorization ?? BASIC },
      ...(form ? { body: new URLSearchParams(form) } : {}),
    });
    const body = JSON.parse((await answer.text()) || 'null') as { sid?: string } | null;
    const problems =
      answer.status === status
        ? this.#document.problemsOfAnswer(path, method, status, body)
        : [`HTTP ${answer.status} instead of ${status}: ${JSON.stringify(body)}`];
    this.judge(`answer (${label})`, problems);
    return body?.sid ?? '';
  }

  /** Polls a message until it has the status that it is to end with. */
  async waitForStatus(sid: string, status: string): Promise<void> {
    const url = `${this.#url}${INSTANCE.replace('{AccountSid}', account.sid).replace('{Sid}', sid)}`;
    for (const startedMs = performance.now(); performance.now() - startedMs < SETTLE_MS_MAX; await pause(20)) {
      const message = (await (await fetch(url, { headers: { authorization: BASIC } })).json()) as { status?: string };
      if (message.status === status) return;
    }
    throw new Error(`message ${sid} did not become ${status} within ${SETTLE_MS_MAX} ms`);
  }

  async control(method: string, path: string, body?: unknown): Promise<unknown> {
    const init = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    const answer = await fetch(`${this.#url}/_sim${path}`, { method, ...init });
    return answer.status === 204 ? null : ((await answer.json()) as unknown);
  }
}

async function compareAnswers(compare: Comparison): Promise<void> {
  const sendAt = new Date(Date.now() + 3_600_000).toISOString();
  const text = { To: TO, From: SENDER, Body: 'Hello 👍' };
  const template = { To: TO, From: SENDER, ContentSid: TEMPLATE, ContentVariables: '{"1":"Grace"}' };
  const viaService = { To: TO, MessagingServiceSid: SERVICE, ContentSid: TEMPLATE };
  const variants: [label: string, finalStatus: string, form: Record<string, string>][] = [
    ['text outside the window', 'failed', text],
    ['template', 'read', template],
    ['media', 'failed', { ...text, MediaUrl: 'https://example.com/a.jpg' }],
    ['Messaging Service with validity', 'read', { ...viaService, ValidityPeriod: '60' }],
    ['business-scoped user', 'failed', { ...text, To: 'whatsapp:DE.abc' }],
    ['undelivered', 'undelivered', { ...template, To: 'whatsapp:+15000063024' }],
    ['failed', 'failed', { ...template, To: 'whatsapp:+15000063020' }],
    ['sent for ever', 'sent', { ...template, To: 'whatsapp:+15000000002' }],
  ];
  const sids: string[] = [];
  for (const [label, , form] of variants) {
    const sid = await compare.call(`create: ${label}`, 'post', COLLECTION, { form, status: 201 });
    await compare.call(`fetch at once: ${label}`, 'get', INSTANCE, { sid, status: 200 });
    sids.push(sid);
  }
  const [first = ''] = sids;
  const schedule = { ...viaService, ScheduleType: 'fixed', SendAt: sendAt };
  const scheduled = await compare.call('create: scheduled', 'post', COLLECTION, { form: schedule, status: 201 });
  await compare.control('POST', '/inbound', { from: TO, to: SENDER, body: 'Hello' });
  for (const [index, [label, finalStatus]] of variants.entries()) {
    const sid = sids[index] ?? '';
    await compare.waitForStatus(sid, finalStatus);
    await compare.call(`fetch at the end: ${label}`, 'get', INSTANCE, { sid, status: 200 });
  }
  await compare.call('list', 'get', COLLECTION, { query: {}, status: 200 });
  await compare.call('list: inbound', 'get', COLLECTION, { query: { From: TO }, status: 200 });
  await compare.call('list: a page of several', 'get', COLLECTION, {
    query: { To: TO, From: SENDER, PageSize: '1', Page: '1' },
    status: 200,
  });
  await compare.call('list: by date', 'get', COLLECTION, {
    query: { 'DateSent>': new Date(0).toISOString(), 'DateSent<': sendAt },
    status: 200,
  });
  await compare.call('list: nothing', 'get', COLLECTION, { query: { To: 'whatsapp:+12025550199' }, status: 200 });
  await compare.call('cancel', 'post', INSTANCE, { sid: scheduled, form: { Status: 'canceled' }, status: 200 });
  await compare.call('redact', 'post', INSTANCE, { sid: first, form: { Body: '' }, status: 200 });
  await compare.call('delete', 'delete', INSTANCE, { sid: first, status: 204 });

  await compare.call('fetch: gone', 'get', INSTANCE, { sid: first, status: 404 });
  await compare.call('delete: gone', 'delete', INSTANCE, { sid: first, status: 404 });
  await compare.call('cancel: twice', 'post', INSTANCE, { sid: scheduled, form: { Status: 'canceled' }, status: 409 });
  await compare.call('create: opted out', 'post', COLLECTION, { form: { ...template, To: 'whatsapp:+15000021610' }, status: 400 });
  await compare.call('create: throttled', 'post', COLLECTION, { form: { ...template, To: 'whatsapp:+15000042901' }, status: 429 });
  await compare.call('list: wrong credentials', 'get', COLLECTION, { query: {}, status: 401, authorization: 'Basic eDp5' });
}

/** What our own client really sends, as the simulator's ledger kept it. */
async function compareOurRequests(compare: Comparison, document: TwilioDocument, baseUrl: string): Promise<void> {
  const client = createMessagesClient({
    accountSid: account.sid,
    apiKeySid: account.apiKeySid,
    apiKeySecret: { reveal: () => account.apiKeySecret },
    baseUrl,
    concurrency: 2,
    statusCallback: { publicBaseUrl: 'http://127.0.0.1:9' },
    log: createLogger({ process: 'cli', level: 'silent' }),
  });
  const plain = {
    body: null,
    contentSid: null,
    contentVariables: null,
    mediaUrl: null,
    priority: 'bulk',
    validityPeriodSeconds: null,
  } as const;
  const variants: [string, Partial<SendRequest>][] = [
    ['text', { body: 'Hello 👍' }],
    ['text over a Messaging Service', { body: 'Hello', senderAddress: SERVICE }],
    ['template', { contentSid: TEMPLATE, contentVariables: { '1': 'Grace', '2': '#4002' } }],
    ['template without variables', { contentSid: TEMPLATE }],
    ['media', { mediaUrl: 'https://example.com/a.jpg' }],
    ['media with text', { mediaUrl: 'https://example.com/a.jpg', body: 'Look' }],
    ['validity', { body: 'Hello', validityPeriodSeconds: 60 }],
    ['business-scoped user', { body: 'Hello', recipient: 'whatsapp:DE.abc' }],
  ];
  for (const [label, fields] of variants) {
    const request: SendRequest = { messageId: randomUUID(), attempt: 1, senderAddress: SENDER, recipient: TO, ...plain, ...fields };
    const outcome = await client.create(request);
    compare.judge(`our request is taken: ${label}`, outcome.kind === 'accepted' ? [] : [`${outcome.kind} with code ${outcome.errorCode}`]);
    const ledger = (await compare.control('GET', `/ledger?m=${request.messageId}`)) as { creates: { form: Record<string, unknown> }[] };
    const [create] = ledger.creates;
    compare.judge(`our request: ${label}`, create ? document.problemsOfForm(COLLECTION, create.form) : ['it is not in the ledger']);
  }
  client.close();
}

/** The comparison must be able to fail. */
function compareWrongOnes(compare: Comparison, document: TwilioDocument): void {
  const wrong: [string, string[]][] = [
    ['an answer without its members', document.problemsOfAnswer(COLLECTION, 'post', 201, {})],
    ['an answer that the document does not know', document.problemsOfAnswer(COLLECTION, 'post', 200, {})],
    ['a request without a recipient', document.problemsOfForm(COLLECTION, { Body: 'Hello' })],
    ['a request with an unknown parameter', document.problemsOfForm(COLLECTION, { To: TO, Surprise: '1' })],
    ['a query with an unknown parameter', document.problemsOfQuery(COLLECTION, { Status: 'sent' })],
  ];
  for (const [label, problems] of wrong) compare.judge(`${label} is found out`, problems.length > 0 ? [] : ['it was not']);
}

const [folder] = process.argv.slice(2);
const document = folder === undefined ? null : readTwilioDocument(folder);
if (document === null) {
  console.error(
    `${folder === undefined ? 'Name the folder' : `${folder} has no api_v2010.json: name the folder`} that holds Twilio's OpenAPI documents`,
  );
  console.error('(github.com/twilio/twilio-oai, spec/json):  npm run check:twilio-openapi -- <folder>');
  console.log('0 passed, 1 failed');
  process.exit(1);
}
const simulator = await startSimulator(account);
const compare = new Comparison(document, simulator.url);
try {
  await compareAnswers(compare);
  await compareOurRequests(compare, document, simulator.url);
  compareWrongOnes(compare, document);
} finally {
  await simulator.stop();
}
for (const failure of compare.failures) console.error(`FAIL ${failure}`);
console.log(`${compare.passed} passed, ${compare.failures.length} failed`);
process.exitCode = compare.failures.length > 0 ? 1 : 0;
